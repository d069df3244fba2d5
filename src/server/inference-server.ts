/**
 * Everything one HTTP thread has: its channel to the engine, its handlers, the inference API and the app that serves
 * it. The same on a worker thread (thread.ts) and, where the configuration asks for no threads, on main.
 */

import type { MessagePort } from "node:worker_threads";
import { parsePath as parseV2Path } from "../api/kserve_v2/paths.js";
import { V2Dialect } from "../api/kserve_v2/routes.js";
import { type HostedRoutes, parseInferencePath } from "../api/torchserve/paths.js";
import { InferenceDialect, invokedName } from "../api/torchserve/routes.js";
import type { Report } from "../api/torchserve/predict.js";
import type { Engine } from "../engine/engine.js";
import { HandlerRegistry } from "../handlers/registry.js";
import type { Listener } from "../http/listener.js";
import { Port } from "../http/port.js";
import type { RawApp, TlsFiles } from "../http/raw.js";
import { Pipeline } from "../inference/pipeline.js";
import type { HttpState } from "../metrics/http-counters.js";
import type { ModelEntry } from "../models/models.js";
import { Scripts } from "../script/door.js";
import type { Dialect, Exchange } from "../wire.js";
import { Door } from "../worker/door.js";
import { AccessLog } from "../telemetry/access-log.js";
import { ByPath, isV2 } from "./by-path.js";
import { LoadWait } from "./load-wait.js";
import { type Asked, Loads } from "./loads.js";
import type { Announcement, ThreadLimits } from "./messages.js";
import { isMains, isMultiModels, RelayedDialect } from "./relay.js";
import { guarded } from "./tokens.js";

export interface InferenceServerOptions {
  readonly engine: Engine;
  readonly listener: Listener;
  readonly state: HttpState;
  readonly limits: ThreadLimits;
  /** To Python workers; undefined: there are none. */
  readonly door: MessagePort | undefined;
  /** To handlers in TypeScript; undefined: there are none. */
  readonly scripts: MessagePort | undefined;
  readonly tls: TlsFiles | undefined;
  /** To main, for what it answers on this port; undefined: nothing. */
  readonly relay: MessagePort | undefined;
  readonly report: Report;
  /** Takes the access log's lines, where the limits ask for them. */
  readonly writeAccess: (lines: string) => void;
  /** A request has waited for this version to be loaded. */
  readonly waited: (name: string, version: string) => void;
}

/** Undefined when there is to be none. */
export function openAccessLog(limits: ThreadLimits, write: (lines: string) => void): AccessLog | undefined {
  const { accessLog, logFormat } = limits;
  return accessLog === "off"
    ? undefined
    : new AccessLog({ onlyErrors: accessLog === "errors", format: logFormat, write });
}

export class InferenceServer {
  private readonly handlers: HandlerRegistry;
  private readonly pipeline: Pipeline;
  private readonly dialect: InferenceDialect;
  private readonly v2: V2Dialect;
  private readonly port: Port;
  private readonly loads: Loads;
  private portNumber = 0;

  constructor(options: InferenceServerOptions) {
    const { engine, listener, state, limits, report } = options;
    const { door, scripts } = options;
    this.handlers = new HandlerRegistry({
      ...limits,
      workers: door && new Door(door),
      scripts: scripts && new Scripts(scripts, limits.lingerMs),
    });
    this.pipeline = new Pipeline(engine, this.handlers);
    const { pipeline } = this;
    const loads = (this.loads = new Loads({ pipeline, loadWaitMs: limits.loadWaitMs, waited: options.waited }));
    const unready = (name: string): readonly ModelEntry[] => loads.unreadyOf(name);
    const context = { pipeline, unready, report, ...limits };
    this.dialect = new InferenceDialect({ ...context, onlyName: () => loads.onlyName() }, state);
    this.v2 = new V2Dialect({ ...context, stats: () => engine.stats(), allUnready: () => loads.unready }, state);
    const { channel } = pipeline;
    const byPath = new ByPath(this.dialect, this.v2);
    const asked = (exchange: Exchange): Asked | undefined => predicted(exchange, limits, loads);
    const waiting = limits.loadWaitMs > 0 ? new LoadWait(byPath, { loads, asked, store: channel }) : byPath;
    const own = guarded(waiting, "inference", limits);
    const relayed = (inner: Dialect, port: MessagePort): Dialect =>
      new RelayedDialect(
        inner,
        port,
        (cookie) => channel.bodyTake(cookie),
        limits.multiModel ? isMultiModels : isMains,
      );
    this.port = new Port({
      listener,
      dialect: options.relay ? relayed(own, options.relay) : own,
      store: channel,
      limits,
      state,
      port: () => this.portNumber,
      tls: options.tls,
      access: openAccessLog(limits, options.writeAccess),
    });
  }

  get app(): RawApp {
    return this.port.app;
  }

  /** See Port.renew. */
  renew(tls: TlsFiles): RawApp {
    return this.port.renew(tls);
  }

  announce({ name, version, spec, limit, about }: Announcement): void {
    this.handlers.announce(name, version, spec, limit, about);
    this.forget();
  }

  /** Requests without a version go there. */
  setDefault(name: string, version: string): void {
    this.handlers.setDefault(name, version);
    this.forget();
  }

  /** The version is not routed any more. */
  withdraw(name: string, version: string): void {
    this.handlers.withdraw(name, version);
    this.forget();
  }

  private forget(): void {
    for (const dialect of [this.dialect, this.v2]) dialect.forget();
  }

  /** Versions that are known but not served, by whose state their requests are answered. */
  setUnready(entries: readonly ModelEntry[]): void {
    this.loads.show(entries);
  }

  listening(port: number): void {
    this.portNumber = port;
  }

  /** See Port.drain; the channel closes after the app. */
  async drain(timeoutMs: number): Promise<number> {
    this.loads.end();
    const cut = await this.port.drain(timeoutMs);
    this.pipeline.close();
    return cut;
  }
}

/** Whose answer is asked for, by any protocol; undefined: nobody's. */
function predicted(exchange: Exchange, routes: HostedRoutes, loads: Loads): Asked | undefined {
  const { path, method } = exchange;
  if (method === "OPTIONS") return undefined;
  const v2 = isV2(path) ? parseV2Path(path) : undefined;
  if (v2?.kind === "infer") return v2;
  const target = parseInferencePath(path, routes);
  if (target.kind === "predict" || target.kind === "explain") return target;
  const name = target.kind === "invocations" ? (invokedName(exchange) ?? loads.onlyName()) : undefined;
  return name === undefined ? undefined : { name, version: "" };
}
