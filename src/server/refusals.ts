/** Connections that were closed at once: how many, and a line in the log about them. Main thread. */
import type { HttpState } from "../metrics/http-counters.js";
import { type RefusalReason, refusalReasons, type RpcCounters } from "../metrics/rpc-counters.js";
import type { Log } from "../telemetry/log.js";

export type Refusals = Readonly<Record<RefusalReason, number>>;

const remedies: Readonly<Record<RefusalReason, string>> = {
  total: "--max-connections is reached",
  address: "a client has as many as --max-connections-per-address allows",
  descriptors: "the process has no file descriptor for more: raise its limit (ulimit -n) or lower --max-connections",
};

/** Lines are at least that far apart. */
const quietMs = 10_000;

/** Of all ports together. */
export function refusalsOf(ports: readonly HttpState[], rpc: Pick<RpcCounters, "refused">): Refusals {
  const of = (reason: RefusalReason): number =>
    ports.reduce((sum, port) => sum + port.total(`refused_${reason}`), rpc.refused(reason));
  return { total: of("total"), address: of("address"), descriptors: of("descriptors") };
}

export class RefusalLog {
  private readonly read: () => Refusals;
  private readonly log: Pick<Log, "warn">;
  private readonly now: () => number;
  private told: Refusals = { total: 0, address: 0, descriptors: 0 };
  private quietUntil = 0;

  constructor(read: () => Refusals, log: Pick<Log, "warn">, now: () => number = () => performance.now()) {
    this.read = read;
    this.log = log;
    this.now = now;
  }

  /** To be called often. */
  tick(): void {
    if (this.now() < this.quietUntil) return;
    const counts = this.read();
    const more = refusalReasons.filter((reason) => counts[reason] > this.told[reason]);
    for (const reason of more) {
      this.log.warn(`connections were refused: ${remedies[reason]}`, { refused: counts[reason] - this.told[reason] });
    }
    if (more.length === 0) return;
    this.told = counts;
    this.quietUntil = this.now() + quietMs;
  }
}
