/**
 * Caps on open connections, in total, per address and by the descriptors left. Connections over a cap are closed before
 * anything is read.
 *
 * The library tells that a connection closed but not which one, so there is no count per address to decrement.
 * While all connections together are within one address's cap, no address can be over it. Beyond that the kernel's own
 * table of connections to our port is read, at most ten times a second, and new connections are added to its counts.
 * A trusted proxy stands for many clients: it has no cap of its own.
 * Thread: one per HTTP thread; the total is shared by all.
 */

import { readFileSync } from "node:fs";
import { Descriptors } from "../config/descriptors.js";
import type { HttpState } from "../metrics/http-counters.js";
import { type ProxyOptions, TrustedProxies } from "./proxies.js";
import type { RawApp, RawResponse } from "./raw.js";
import { addressOf } from "./respond.js";

export interface ConnectionLimits extends ProxyOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** How old the kernel's counts may be. */
const recountMs = 100;

export class ConnectionCaps {
  private readonly limits: ConnectionLimits;
  private readonly state: HttpState;
  private readonly port: () => number;
  private readonly proxies: TrustedProxies;
  private readonly descriptors = new Descriptors();
  private counts = new Map<string, number>();
  private countedAt = -Infinity;
  private open = 0;

  /** `port`: of the listener whose connections are counted. */
  constructor(limits: ConnectionLimits, state: HttpState, port: () => number) {
    this.limits = limits;
    this.proxies = new TrustedProxies(limits);
    this.state = state;
    this.port = port;
  }

  /** Connections open on this thread. */
  get connections(): number {
    return this.open;
  }

  attach(app: RawApp): void {
    app.filter((res, change) => {
      if (change > 0) this.opened(res);
      else this.closed();
    });
  }

  private opened(res: RawResponse): void {
    this.open++;
    this.state.count("connections_opened");
    const total = this.state.addConnections(1);
    if (total > this.limits.maxConnections) this.refuse(res, "refused_total");
    else if (this.descriptors.refuses(total)) this.refuse(res, "refused_descriptors");
    else if (total > this.limits.maxConnectionsPerAddress && this.addressIsFull(res))
      this.refuse(res, "refused_address");
  }

  private closed(): void {
    this.open--;
    this.state.count("connections_closed");
    this.state.addConnections(-1);
  }

  private refuse(res: RawResponse, row: "refused_total" | "refused_address" | "refused_descriptors"): void {
    this.state.count(row);
    res.close();
  }

  private addressIsFull(res: RawResponse): boolean {
    if (this.proxies.includes(addressOf(res))) return false;
    const address = addressKey(new Uint8Array(res.getRemoteAddress()));
    const now = performance.now();
    if (now - this.countedAt > recountMs) {
      this.counts = countByAddress(this.port(), readTables());
      this.countedAt = now;
    } else {
      this.counts.set(address, (this.counts.get(address) ?? 0) + 1);
    }
    return (this.counts.get(address) ?? 0) > this.limits.maxConnectionsPerAddress;
  }
}

/** Hexadecimal; an IPv4 address mapped into IPv6 is the IPv4 address. */
export function addressKey(bytes: Uint8Array): string {
  const mapped =
    bytes.length === 16 &&
    bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return Buffer.from(mapped ? bytes.subarray(12) : bytes).toString("hex");
}

/** `tables`: /proc/net/tcp and tcp6 (see proc(5)): addresses are 32-bit words in the machine's byte order. */
export function countByAddress(port: number, tables: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of tables.flatMap((table) => table.split("\n").slice(1))) {
    const [, local = "", remote = "", state = ""] = line.trim().split(/\s+/);
    if (state !== established || !local.endsWith(wanted)) continue;
    const key = addressKey(fromProc(remote.slice(0, remote.indexOf(":"))));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const established = "01";

function fromProc(words: string): Uint8Array {
  const bytes = Buffer.from(words, "hex");
  return bytes.swap32();
}

function readTables(): string[] {
  return ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map((path) => {
    try {
      return readFileSync(path, "latin1");
    } catch {
      return "";
    }
  });
}
