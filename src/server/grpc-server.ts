/**
 * Everything the gRPC thread has: its channel to the engine, its handlers, TorchServe's gRPC services and the ports they
 * stand on. The same on a worker thread (grpc-thread.ts) and, where the configuration asks for no threads, on main.
 */

import { readFileSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import { inferenceService } from "../api/grpc/inference.js";
import { type Manage, managementService } from "../api/grpc/management.js";
import { Predictor, type PredictorContext } from "../api/grpc/predict.js";
import { torchserveRefusal } from "../api/torchserve/compat.js";
import { openInferenceServices } from "../api/grpc/v2.js";
import type { Engine, ModelStats } from "../engine/engine.js";
import { loadRpcLibrary, type RpcLimits, type RpcListening } from "../grpc/listener.js";
import type { TlsTexts } from "../grpc/sockets.js";
import { HandlerRegistry } from "../handlers/registry.js";
import { TrustedProxies } from "../http/proxies.js";
import type { TlsFiles } from "../http/raw.js";
import { Pipeline } from "../inference/pipeline.js";
import type { HttpState } from "../metrics/http-counters.js";
import type { RpcCounters } from "../metrics/rpc-counters.js";
import { isServing } from "../models/health.js";
import type { ModelEntry } from "../models/models.js";
import type { RpcService } from "../rpc.js";
import { Scripts } from "../script/door.js";
import { Door } from "../worker/door.js";
import { Loads } from "./loads.js";
import { rpcGate } from "./tokens.js";
import type { News, ThreadLimits } from "./messages.js";

/** One port to open; absent ones are off. */
export interface GrpcPort {
  readonly host: string;
  readonly port: number;
  readonly maxConnectionAgeMs: number;
  readonly maxConnectionAgeGraceMs: number;
}

export interface GrpcSetup {
  readonly inference: GrpcPort | undefined;
  readonly management: GrpcPort | undefined;
  readonly maxResponseSize: number;
  /** Calls open at one time on one connection. */
  readonly maxStreams: number;
}

/** Where the ports stand. */
export interface GrpcPorts {
  readonly inference?: number;
  readonly management?: number;
}

export interface GrpcServerOptions {
  readonly engine: Engine;
  /** Written by main: how the models are. */
  readonly state: HttpState;
  readonly counters: RpcCounters;
  readonly limits: ThreadLimits;
  /** To Python workers; undefined: there are none. */
  readonly door: MessagePort | undefined;
  readonly scripts: MessagePort | undefined;
  readonly setup: GrpcSetup;
  /** TLS; the files are there until the ports are open. */
  readonly tls: TlsFiles | undefined;
  /** Does on main what the management service is asked for. */
  readonly manage: Manage;
  readonly report: PredictorContext["report"];
  /** A request has waited for this version to be loaded. */
  readonly waited: (name: string, version: string) => void;
}

/** How often the health service is told how the models are. */
const healthMs = 50;

export class GrpcServer {
  private readonly options: GrpcServerOptions;
  private readonly handlers: HandlerRegistry;
  private readonly pipeline: Pipeline;
  private readonly ports: RpcListening[] = [];
  private readonly loads: Loads;
  private healthTimer: NodeJS.Timeout | undefined;

  constructor(options: GrpcServerOptions) {
    this.options = options;
    const { door, scripts, limits } = options;
    const ways = { workers: door && new Door(door), scripts: scripts && new Scripts(scripts, limits.lingerMs) };
    this.handlers = new HandlerRegistry({ ...limits, ...ways });
    const pipeline = (this.pipeline = new Pipeline(options.engine, this.handlers));
    this.loads = new Loads({ pipeline, loadWaitMs: limits.loadWaitMs, waited: options.waited });
  }

  /** Rejects with ServerError when a port cannot be had; nothing stays open then. */
  async open(): Promise<GrpcPorts> {
    const { state, counters, report, setup, limits } = this.options;
    const { loads, pipeline } = this;
    const tls = this.options.tls && readTexts(this.options.tls);
    const library = await loadRpcLibrary();
    const listen = async (kind: "inference" | "management", ...services: RpcService[]): Promise<GrpcPorts> => {
      const port = setup[kind];
      if (port === undefined) return {};
      const onFault = (error: unknown, path: string): void =>
        report("error", "a gRPC call failed unexpectedly", {
          path,
          error: error instanceof Error ? error.stack : error,
        });
      const listening = await library.listen({
        ...port,
        services,
        counters,
        gate: rpcGate(kind, limits),
        tls,
        limits: this.limits(port),
        report: onFault,
      });
      this.ports.push(listening);
      return { [kind]: listening.port };
    };
    const words = limits.compat === "torchserve" ? { words: torchserveRefusal } : {};
    const stats = (): readonly ModelStats[] => this.options.engine.stats();
    const known = {
      unready: (name: string): readonly ModelEntry[] => loads.unreadyOf(name),
      allUnready: () => loads.unready,
      loadWait: loads.wait.bind(loads),
    };
    const context = { pipeline, report, state, stats, ...known, ...words };
    const predictor = new Predictor(context);
    const inference = [
      inferenceService(context, predictor),
      ...openInferenceServices(predictor, context, limits.version),
    ];
    try {
      const management = managementService(this.options.manage);
      const ports = { ...(await listen("inference", ...inference)), ...(await listen("management", management)) };
      this.healthTimer = setInterval(() => this.showHealth(), healthMs);
      this.showHealth();
      return ports;
    } catch (error) {
      await this.drain(0);
      throw error;
    }
  }

  /** Calls that come after it see it. */
  learn(news: News): void {
    if (news.type === "handler") {
      const { name, version, spec, limit, about } = news.announcement;
      this.handlers.announce(name, version, spec, limit, about);
    } else if (news.type === "unready") this.loads.show(news.entries);
    else if (news.type === "default") this.handlers.setDefault(news.name, news.version);
    else this.handlers.withdraw(news.name, news.version);
  }

  /** New connections of all ports meet this certificate. The files are read before it returns. */
  renew(files: TlsFiles): void {
    const texts = readTexts(files);
    for (const port of this.ports) port.renew(texts);
  }

  /** Resolves with the number of calls cut; the channel closes after the ports. */
  async drain(timeoutMs: number): Promise<number> {
    clearInterval(this.healthTimer);
    this.loads.end();
    const cuts = await Promise.all(this.ports.map((port) => port.drain(timeoutMs)));
    this.pipeline.close();
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }

  private showHealth(): void {
    const { health, draining } = this.options.state;
    for (const port of this.ports) port.setServing(isServing(health, draining));
  }

  private limits({ maxConnectionAgeMs, maxConnectionAgeGraceMs }: GrpcPort): RpcLimits {
    const { maxRequestSize, maxConnections, maxConnectionsPerAddress } = this.options.limits;
    const { maxResponseSize, maxStreams } = this.options.setup;
    const proxies = new TrustedProxies(this.options.limits);
    const perPort = { maxConnectionAgeMs, maxConnectionAgeGraceMs, exempt: proxies.includes.bind(proxies) };
    return { maxRequestSize, maxResponseSize, maxConnections, maxConnectionsPerAddress, maxStreams, ...perPort };
  }
}

function readTexts({ certificate, key }: TlsFiles): TlsTexts {
  return { cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
}
