/**
 * Wires the parts together: engine, models, HTTP threads, the three ports. The only file that knows all of them.
 *
 *   const server = await startServer(config, { engine, engineModule, createModelManager, log, version });
 *   …a signal…
 *   process.exitCode = await server.drain();
 */

import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { ManagementContext } from "./api/torchserve/management.js";
import { ManagementDialect } from "./api/torchserve/management-routes.js";
import { MultiModelDialect } from "./api/torchserve/multi-model.js";
import { MetricsDialect } from "./api/torchserve/routes.js";
import type { TokenIssuer } from "./auth/token-issuer.js";
import { sharesAddress, speaksTls } from "./config/resolve.js";
import type { ServeConfig } from "./config/serve-config.js";
import type { Engine } from "./engine/engine.js";
import { MemoryBodies } from "./http/body-store.js";
import { type Listener, type Listening, loadListener, setHeaderLimit } from "./http/listener.js";
import type { TlsFiles } from "./http/raw.js";
import { createHttpState, HttpState } from "./metrics/http-counters.js";
import { LoadWaits } from "./metrics/load-waits.js";
import type { Snapshot } from "./metrics/samples.js";
import type { MetricLine } from "./metrics/torchserve.js";
import { createRpcMemory, RpcCounters } from "./metrics/rpc-counters.js";
import type { ModelManager } from "./models/manager.js";
import type { Announce, ModelCatalog } from "./models/models.js";
import { announcementOf, unreadyOf } from "./server/announcement.js";
import { CertificateWatch, readCertificate, withFiles } from "./server/certificates.js";
import { openAccessLog } from "./server/inference-server.js";
import { MainPort, type MainPortOptions, noBodies } from "./server/main-port.js";
import { threadLimits } from "./server/limits.js";
import { Measuring } from "./server/measuring.js";
import { refusalsOf } from "./server/refusals.js";
import type { News, ThreadLimits } from "./server/messages.js";
import { manageOnMain } from "./server/grpc-management.js";
import { type GrpcThread, grpcSetup, startGrpc } from "./server/grpc.js";
import type { GrpcPorts } from "./server/grpc-server.js";
import { type InferenceThreads, startThreads } from "./server/threads.js";
import { type NamedTokens, openNamedTokens } from "./server/named-tokens.js";
import { RelayDesk } from "./server/relay.js";
import { guarded, openIssuer, publishKeys } from "./server/tokens.js";
import type { Log } from "./telemetry/log.js";
import type { SocketCalls } from "./types.js";
import type { Dialect } from "./wire.js";

interface MainDialects {
  readonly bodies: MemoryBodies;
  readonly management: Dialect;
  readonly metrics: Dialect;
  readonly multiModel: Dialect;
}

export interface ServerDependencies {
  readonly engine: Engine;
  /** URL of the module whose `openEngine` gives the same engine on another thread. */
  readonly engineModule: string;
  readonly createModelManager: (options: {
    readonly engine: Engine;
    readonly announce: Announce;
    readonly config: ServeConfig;
    readonly log: Log;
  }) => ModelManager;
  readonly log: Log;
  /** This package's version. */
  readonly version: string;
  /** For HTTP/1.0; undefined: it is not spoken. */
  readonly sockets?: SocketCalls | undefined;
  /** Takes those of TorchServe's metric lines that `metricsMode` says are logged. */
  readonly writeMetrics?: (lines: readonly MetricLine[]) => void;
  /** Takes the access log's lines, with their line feeds. */
  readonly writeAccess?: (lines: string) => void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly https: boolean;
}

export interface RunningServer {
  readonly addresses: { readonly inference: Address; readonly management: Address; readonly metrics: Address };
  readonly grpc: GrpcPorts;
  readonly catalog: ModelCatalog;
  /** Resolves when every model named at start is loaded or has failed; rejects when that stops the start. */
  readonly started: Promise<void>;
  /** Ends in order; the exit code: 0, or 1 when requests were cut. Calling it again gives the same promise. */
  drain(): Promise<number>;
}

/** How long the ports wait for it to be known which models are configured; a model store may hang. */
const namingMs = 1000;
const unusedCertificate =
  "the certificate is not used: no listener speaks TLS (--https, --management-https, --metrics-https, --grpc-tls)";
/** How often main looks at the models for what the HTTP threads answer. */
const refreshMs = 50;
/** Regions of the shared state that main writes: management and metrics together. */
const mainRegions = 1;

/** The ports are open (and answer 503 for models that are still loading) when this resolves. */
export async function startServer(config: ServeConfig, dependencies: ServerDependencies): Promise<RunningServer> {
  setHeaderLimit(process.env);
  const listener = await loadListener();
  const memory = createHttpState(config.httpThreads + 1 + mainRegions);
  const server = new Server(config, dependencies, listener, memory);
  await server.open();
  return server;
}

class Server implements RunningServer {
  addresses!: RunningServer["addresses"];
  started: Promise<void> = Promise.resolve();
  private readonly config: ServeConfig;
  private readonly deps: ServerDependencies;
  private readonly listener: Listener;
  private readonly memory: SharedArrayBuffer;
  /** The inference threads' state as main sees it. */
  private readonly state: HttpState;
  private readonly manager: ModelManager;
  private threads!: InferenceThreads;
  private readonly waits = new LoadWaits();
  private issuer: TokenIssuer | undefined;
  private namedTokens: NamedTokens | undefined;
  private readonly mainPorts: MainPort[] = [];
  private certificates: CertificateWatch | undefined;
  private grpcThread: GrpcThread | undefined;
  /** Where inference and management share an address. */
  private relay: RelayDesk | undefined;
  private readonly rpcMemory = createRpcMemory();
  private readonly rpc = new RpcCounters(this.rpcMemory);
  private readonly mainStates: HttpState[] = [];
  private readonly measuring: Measuring;
  private readonly listening: Listening[] = [];
  private refreshTimer: NodeJS.Timeout | undefined;
  private lastUnready = "";
  private shown: Promise<void> = Promise.resolve();
  private startSettled = false;
  private draining: Promise<number> | undefined;

  constructor(config: ServeConfig, deps: ServerDependencies, listener: Listener, memory: SharedArrayBuffer) {
    this.config = config;
    this.deps = deps;
    this.listener = listener;
    this.memory = memory;
    this.state = new HttpState(memory, 0);
    this.state.health = "unready";
    const { engine, log } = deps;
    this.manager = deps.createModelManager({ engine, config, log, announce: this.announce });
    this.measuring = new Measuring({
      ...{ config, log, engine, hostname: hostname(), snapshot: this.snapshot },
      answers: () => [this.state, ...this.mainStates].reduce((sum, each) => sum + each.allAnswers, this.rpc.allEnded),
      refusals: () => refusalsOf([this.state, ...this.mainStates], this.rpc),
      write: (lines) => deps.writeMetrics?.(lines),
    });
  }

  get grpc(): GrpcPorts {
    return this.grpcThread?.ports ?? {};
  }

  get catalog(): ModelCatalog {
    return this.manager;
  }

  async open(): Promise<void> {
    const { config, deps } = this;
    this.issuer = openIssuer(config);
    this.namedTokens = openNamedTokens(config.tokensFile, deps.log);
    if (speaksTls(config)) {
      const certificate = readCertificate(config);
      await withFiles(certificate, (files) => this.openPorts(files));
      this.certificates = new CertificateWatch(config, certificate, deps.log, (next) =>
        withFiles(next, (files) => this.renew(files)),
      );
    } else {
      if ((config.certificateFile ?? config.keystore) !== undefined) deps.log.warn(unusedCertificate);
      await this.openPorts(undefined);
    }
    this.measuring.begin();
    this.refreshTimer = setInterval(() => {
      void this.refresh();
      this.measuring.tick();
    }, refreshMs);
    this.started = this.manager.start().finally(() => {
      this.startSettled = true;
      void this.refresh();
    });
    // The caller awaits `started`; until it does, a failure is not unhandled.
    this.started.catch(() => undefined);
  }

  drain(): Promise<number> {
    return (this.draining ??= this.end());
  }

  private async openPorts(tls: TlsFiles | undefined): Promise<void> {
    const { config, deps, listener, memory, writeAccess } = this;
    const { engine, engineModule, log } = deps;
    const options = {
      count: config.httpThreads,
      firstRegion: mainRegions,
      limits: this.limits,
      tls: config.https ? tls : undefined,
      ...{ engine, engineModule, listener, memory, log, writeAccess, waits: this.waits },
      sockets: deps.sockets,
    };
    const setup = grpcSetup(config);
    // Loads its library while the HTTP threads start.
    const manage = manageOnMain(this.managementContext(), this.managementFault);
    const grpc =
      setup &&
      startGrpc(options, {
        ...{ setup, manage, rpcMemory: this.rpcMemory, tls: config.grpcTls ? tls : undefined },
      });
    grpc?.catch(() => undefined);
    const dialects = this.mainDialects();
    if (sharesAddress(config)) {
      this.relay = new RelayDesk((path) => (path.startsWith("/metrics") ? dialects.metrics : dialects.management));
    } else if (config.multiModel) this.relay = new RelayDesk(() => dialects.multiModel);
    this.threads = await startThreads({ ...options, relay: this.relay });
    try {
      this.grpcThread = await grpc;
      await this.beginLoads();
      await this.listen(tls, dialects);
      publishKeys(this.issuer, config);
    } catch (error) {
      await this.manager.stop();
      await this.closeAll(0);
      throw error;
    }
  }

  /** From the ports' first moment on, a model that is configured is known to be loading. */
  private async beginLoads(): Promise<void> {
    await Promise.race([this.manager.begin(), delay(namingMs, undefined, { ref: false })]);
    await this.refresh();
  }

  /** What main answers, whichever port it comes by. */
  private mainDialects(): MainDialects {
    const bodies = new MemoryBodies();
    const actions = { takeBody: (cookie: number) => bodies.take(cookie), report: this.managementFault };
    const management = new ManagementDialect({
      ...this.managementContext(),
      state: this.state,
      version: this.deps.version,
      basePath: this.limits.basePath,
      ...actions,
    });
    const multiModel = new MultiModelDialect({
      admin: this.manager,
      root: this.config.multiModelRoot,
      workers: this.config.defaultWorkers || this.config.cores,
      ...actions,
    });
    const scrape = this.config.metricsApi ? this.measuring.scrape : undefined;
    return {
      bodies,
      management: guarded(management, "management", this.limits, this.issuer),
      multiModel: guarded(multiModel, "management", this.limits),
      metrics: new MetricsDialect(scrape, this.deps.version),
    };
  }

  private async listen(tls: TlsFiles | undefined, { bodies, management, metrics }: MainDialects): Promise<void> {
    const { config } = this;
    const listening = await this.threads.listen(config.host, config.port);
    this.listening.push(listening);
    const inference = { host: config.host, port: listening.port, https: config.https };
    this.addresses = {
      inference,
      management: sharesAddress(config)
        ? inference
        : await this.openMainPort(config.managementHost, config.managementPort, {
            dialect: management,
            store: bodies,
            limits: this.limits,
            tls: config.managementHttps ? tls : undefined,
          }),
      metrics: await this.openMainPort(config.metricsHost, config.metricsPort, {
        dialect: metrics,
        store: noBodies,
        limits: { ...this.limits, basePath: "" },
        tls: config.metricsHttps ? tls : undefined,
      }),
    };
  }

  private managementContext(): ManagementContext {
    const { config, deps, manager: admin } = this;
    const { levels } = deps.log;
    return { admin, engine: deps.engine, modelApi: config.enableModelApi, compat: config.compat, levels };
  }
  private readonly managementFault = (error: unknown): void =>
    this.deps.log.error("a management request failed", { error });

  private async renew(files: TlsFiles): Promise<void> {
    if (this.config.https) await this.threads.renew(files);
    if (this.config.grpcTls) await this.grpcThread?.renew(files);
    for (const port of this.mainPorts) port.renew(files);
  }

  private readonly snapshot = (): Snapshot => {
    return {
      version: this.deps.version,
      node: process.version,
      hostname: hostname(),
      engine: this.deps.engine.info(),
      ...this.measuring.of(this.deps.engine.stats()),
      devices: this.deps.engine.deviceStats(),
      entries: this.manager.list(),
      loads: this.manager.loadCounts(),
      waits: this.waits,
      http: this.state,
      rpc: this.rpc,
      otherPorts: this.mainStates,
      tokens: this.namedTokens?.counts() ?? [],
    };
  };

  private readonly writeAccess = (lines: string): void => this.deps.writeAccess?.(lines);

  private get limits(): ThreadLimits {
    const memory = { tokens: this.issuer?.memory, namedTokens: this.namedTokens?.memory };
    return threadLimits(this.config, memory, this.deps.version);
  }

  private async openMainPort(host: string, port: number, options: MainPortOptions): Promise<Address> {
    // A state of its own: what happens on these ports is not the inference port's traffic.
    const state = new HttpState(createHttpState(1), 0);
    this.mainStates.push(state);
    const access = openAccessLog(options.limits, this.writeAccess);
    const main = new MainPort({ ...options, listener: this.listener, state, access, sockets: this.deps.sockets });
    this.mainPorts.push(main);
    const listening = await main.listen(host, port);
    this.listening.push(listening);
    return { host, port: listening.port, https: options.tls !== undefined };
  }

  private readonly announce: Announce = {
    handler: async (name, version, handler) => {
      const entry = this.manager.get(name).find((each) => each.version === version);
      const announcement = announcementOf({ name, version }, handler, entry, this.config.responseTimeoutMs);
      await this.both(this.threads.announce(announcement), { type: "handler", announcement });
    },
    defaultVersion: (name, version) =>
      this.both(this.threads.setDefault(name, version), { type: "default", name, version }),
    withdraw: (name, version) => this.both(this.threads.withdraw(name, version), { type: "withdraw", name, version }),
    visible: () => this.refresh(),
  };

  /** Resolves when the HTTP threads and the gRPC thread know. */
  private async both(threads: Promise<void>, news: News): Promise<void> {
    await Promise.all([threads, this.grpcThread?.learn(news)]);
  }

  /** Shows the threads how the models are; resolves when all have seen it. */
  private async refresh(): Promise<void> {
    const health = this.manager.health();
    // Before the start has looked at what it was told to load, no model is no proof that none is wanted.
    this.state.health = health === "empty" && !this.startSettled ? "unready" : health;
    const entries = this.manager.list();
    this.waits.keep(entries);
    const plain = unreadyOf(entries);
    const text = JSON.stringify(plain);
    if (text !== this.lastUnready) {
      this.lastUnready = text;
      this.shown = this.both(this.threads.setUnready(plain), { type: "unready", entries: plain });
    }
    await this.shown;
  }

  /** See the drain's steps in docs/architecture.md: say so, wait for balancers, close the port, finish, end. */
  private async end(): Promise<number> {
    this.state.draining = true;
    this.deps.log.info("draining", { delayMs: this.config.drainDelayMs, timeoutMs: this.config.drainTimeoutMs });
    await this.manager.stop();
    await delay(this.config.drainDelayMs);
    this.listening[0]?.close();
    const cut = await this.closeAll(this.config.drainTimeoutMs);
    this.deps.log.info("drained", { cut });
    return cut > 0 ? 1 : 0;
  }

  private async closeAll(timeoutMs: number): Promise<number> {
    clearInterval(this.refreshTimer);
    this.certificates?.close();
    this.measuring.end();
    this.listening[0]?.close();
    const cuts = await Promise.all([this.threads.drain(timeoutMs), this.grpcThread?.drain(timeoutMs) ?? 0]);
    for (const each of this.listening) each.close();
    for (const port of this.mainPorts) port.close();
    this.relay?.close();
    this.issuer?.close();
    this.namedTokens?.close();
    return cuts[0] + cuts[1];
  }
}
