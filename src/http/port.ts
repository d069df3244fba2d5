/**
 * One app that serves one dialect: routes everything into an exchange table, counts connections, ends in order.
 * Thread: the one that made it.
 */

import type { HttpState } from "../metrics/http-counters.js";
import type { AccessLog } from "../telemetry/access-log.js";
import type { BodyStore, Dialect } from "../wire.js";
import { ConnectionCaps, type ConnectionLimits } from "./connections.js";
import { ExchangeTable } from "./exchange.js";
import type { ExchangeLimits } from "./limits.js";
import type { Listener } from "./listener.js";
import type { RawApp, TlsFiles } from "./raw.js";

export interface PortOptions {
  readonly listener: Listener;
  readonly dialect: Dialect;
  readonly store: BodyStore;
  readonly limits: ExchangeLimits & ConnectionLimits;
  readonly state: HttpState;
  /** The port connections come from, for the cap per address. */
  readonly port: () => number;
  readonly access?: AccessLog | undefined;
  /** HTTPS with this certificate; undefined: HTTP. */
  readonly tls?: TlsFiles | undefined;
}

/** A connection may just have sent a request when the last answer left; this long a silence ends the wait. */
const quietMs = 150;
const pollMs = 10;

export class Port {
  /** Takes the new connections. */
  app: RawApp;
  readonly table: ExchangeTable;
  private readonly caps: ConnectionCaps;
  private readonly access: AccessLog | undefined;
  private readonly listener: Listener;
  /** Apps of former certificates: their connections may be open still. */
  private readonly retired: RawApp[] = [];
  private lastBusy = 0;

  constructor(options: PortOptions) {
    const { listener, dialect, store, limits, state, port, access } = options;
    const onIdle = (): void => void (this.lastBusy = performance.now());
    this.table = new ExchangeTable(dialect, store, limits, state, onIdle, access);
    this.access = access;
    this.caps = new ConnectionCaps(limits, state, port);
    this.listener = listener;
    this.app = this.createApp(options.tls);
  }

  /** Makes another app with this certificate for the connections to come; those that are open stay as they are. */
  renew(tls: TlsFiles): RawApp {
    const next = this.createApp(tls);
    this.retired.push(this.app);
    this.app = next;
    return next;
  }

  private createApp(tls: TlsFiles | undefined): RawApp {
    const app = this.listener.createApp(tls);
    this.caps.attach(app);
    app.post("/*", (res, req) => this.table.begin(res, req, "POST"));
    app.any("/*", (res, req) => this.table.begin(res, req, req.getCaseSensitiveMethod()));
    return app;
  }

  /**
   * Waits until every request was answered and every connection is closed or silent, then closes the app. The listen
   * socket must be closed already. Resolves with the number of requests that `timeoutMs` cut.
   */
  async drain(timeoutMs: number): Promise<number> {
    const end = performance.now() + timeoutMs;
    this.lastBusy = performance.now();
    while (performance.now() < end && !this.isQuiet()) await pause(pollMs);
    const cut = this.table.inFlight === 0 ? 0 : this.table.cutAll();
    // What was cut was answered: let the bytes leave before the connections close.
    if (cut > 0) await pause(quietMs);
    this.close();
    return cut;
  }

  close(): void {
    this.table.stop();
    for (const app of [this.app, ...this.retired]) app.close();
    this.access?.flush();
  }

  private isQuiet(): boolean {
    if (this.table.inFlight > 0) return false;
    return this.caps.connections === 0 ? this.silentFor(2 * pollMs) : this.silentFor(quietMs);
  }

  private silentFor(ms: number): boolean {
    return performance.now() - this.lastBusy >= ms;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
