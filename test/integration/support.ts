/** A whole server on free ports over the in-memory engine, and raw sockets to talk to it byte by byte. */

import { once } from "node:events";
import net from "node:net";
import type { RunningServer, ServerDependencies } from "../../src/app.js";
import { startServer } from "../../src/app.js";
import type { ServeConfig } from "../../src/config/serve-config.js";
import type { Engine } from "../../src/engine/engine.js";
import { openFakeEngine } from "../../src/engine/fake.js";
import type { ModelManager } from "../../src/models/manager.js";
import type { Announce, Health, ModelEntry, Scaled } from "../../src/models/models.js";
import { ServerError } from "../../src/errors.js";
import { silentLog } from "../../src/telemetry/log.js";
import type { HandlerSpec, ModelSpec } from "../../src/types.js";

export const testConfig: ServeConfig = {
  positional: [],
  modelStore: undefined,
  models: [],
  strict: false,
  allowedUrls: [],
  numberOfGpu: undefined,
  gpuConcurrency: 8,
  maxDownloadSize: 2 ** 30,
  downloadTimeoutMs: 10_000,
  modelSettings: {},
  modelSnapshot: undefined,
  configSnapshots: false,
  pollModelStoreMs: 0,
  storeTimeoutMs: 10_000,
  watch: false,
  snapshotFolder: "logs/config",
  defaultWorkers: 0,
  tokenAuth: false,
  tokenExpirationMs: 3_600_000,
  keyFile: "key_file.json",
  tokensFile: undefined,
  compat: "sconce",
  healthRoute: undefined,
  predictRoute: undefined,
  modelDir: "/no/such/folder",
  multiModel: false,
  multiModelRoot: "/no/such/folder",
  host: "127.0.0.1",
  managementHost: "127.0.0.1",
  metricsHost: "127.0.0.1",
  port: 0,
  managementPort: 0,
  metricsPort: 0,
  grpcInferencePort: "off",
  grpcInferenceHost: "127.0.0.1",
  grpcInferenceMaxConnectionAgeMs: 0,
  grpcInferenceMaxConnectionAgeGraceMs: 0,
  grpcManagementPort: "off",
  grpcManagementHost: "127.0.0.1",
  grpcManagementMaxConnectionAgeMs: 0,
  grpcManagementMaxConnectionAgeGraceMs: 0,
  grpcMaxStreams: 1000,
  httpThreads: 0,
  responseTimeoutMs: 2000,
  loadWaitMs: 0,
  maxRequestSize: 1 << 20,
  maxResponseSize: 1 << 28,
  maxInflateRatio: 100,
  maxConnections: 200,
  maxConnectionsPerAddress: 100,
  writeTimeoutMs: 1000,
  bodyTimeoutMs: 1000,
  jobQueueSize: 100,
  maxInstances: 1024,
  maxImagePixels: 1 << 20,
  lingerUs: 200,
  drainDelayMs: 0,
  drainTimeoutMs: 2000,
  https: false,
  managementHttps: false,
  metricsHttps: false,
  grpcTls: false,
  trustedProxies: [],
  oldHttp: false,
  proxyHeader: "x-forwarded-for",
  basePath: undefined,
  certificateFile: undefined,
  privateKeyFile: undefined,
  keystore: undefined,
  keystorePass: "changeit",
  corsAllowedOrigin: undefined,
  corsAllowedMethods: undefined,
  corsAllowedHeaders: undefined,
  unloadTimeoutMs: 2000,
  enableModelApi: true,
  supervise: false,
  insecure: false,
  probe: "never",
  probeTimeoutMs: 1000,
  loadParallelism: 1,
  metricsMode: "prometheus",
  metricsApi: true,
  systemMetrics: true,
  metricsIntervalMs: 15_000,
  latencyBuckets: [0.001, 0.01, 0.1, 1],
  cores: 2,
  logLevel: "error",
  logFormat: "text",
  accessLog: "off",
  logFolder: undefined,
  metricsLogFolder: undefined,
  logMaxSize: 1 << 20,
  logMaxFiles: 2,
  requestIds: "echo",
  python: "python3",
  workerEnv: [],
  workerMemory: 0,
  workerFiles: 256,
  workerUser: undefined,
  installPyDepPerModel: false,
  workerMetrics: undefined,
  modelMetricsAutoDetect: false,
  workerProcesses: 0,
  workerNetwork: true,
  serviceEnvelope: "none",
  decodeInputRequest: true,
  hookTimeoutMs: 30_000,
  handlerIsolation: "auto",
  handlerMemory: 2 ** 30,
};

export const baseSpec: HandlerSpec = { name: "base_handler", topK: 5 };

export function modelSpec(name: string, artifact: string, changes: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name,
    version: "1.0",
    artifact,
    kind: "torchscript",
    sha256: "0".repeat(64),
    signature: { declared: false, inputs: [], outputs: [] },
    handler: baseSpec,
    maxBatchDelayMs: 0,
    jobQueueSize: 100,
    responseTimeoutMs: 2000,
    instances: 1,
    executor: "auto",
    stateful: false,
    maxInstances: 1024,
    source: artifact,
    ...changes,
  };
}

/** Loads the given models as a manager would; a name that starts with "loading" or "failing" stays in that state. */
export class TestManager implements ModelManager {
  readonly entries: ModelEntry[] = [];
  override: Health | undefined;
  private readonly engine: Engine;
  private readonly announce: Announce;
  private readonly specs: readonly ModelSpec[];

  constructor(engine: Engine, announce: Announce, specs: readonly ModelSpec[]) {
    this.engine = engine;
    this.announce = announce;
    this.specs = specs;
  }

  begin(): Promise<void> {
    return Promise.resolve();
  }
  async start(): Promise<void> {
    for (const spec of this.specs) await this.load(spec);
  }
  private async load(spec: ModelSpec): Promise<void> {
    const { name, version } = spec;
    const common = {
      name,
      version,
      isDefault: true,
      loadSeconds: 0.5,
      loadedAtStartup: true,
      since: "2026-01-01T00:00:00Z",
      spec,
    };
    if (name.startsWith("loading")) return void this.entries.push({ ...common, state: "loading", phase: "warm-up" });
    if (name.startsWith("failing"))
      return void this.entries.push({ ...common, state: "failed", reason: "not a model" });
    const report = await this.engine.load(spec, `${name}/${version}`);
    this.entries.push({ ...common, state: "ready", report, isDefault: this.get(name).length === 0 });
    await this.announce.handler(name, version, spec.handler);
    this.engine.publish(`${name}/${version}`);
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  register(): Promise<ModelEntry> {
    return Promise.reject(new ServerError("not_ready", "not in this test"));
  }
  scale(): Promise<Scaled> {
    return Promise.reject(new ServerError("not_ready", "not in this test"));
  }
  async setDefault(name: string, version: string): Promise<readonly string[]> {
    this.engine.setDefault(name, version);
    await this.announce.defaultVersion(name, version);
    return [];
  }
  rollback(): Promise<{ from: string; to: string }> {
    return Promise.reject(new ServerError("not_ready", "not in this test"));
  }
  unregister(): Promise<boolean> {
    return Promise.reject(new ServerError("not_ready", "not in this test"));
  }
  list(): readonly ModelEntry[] {
    return this.entries;
  }
  get(name: string): readonly ModelEntry[] {
    return this.entries.filter((entry) => entry.name === name);
  }
  health(): Health {
    return this.override ?? "healthy";
  }
  loadCounts(): readonly { trigger: "startup"; outcome: "ok"; count: number }[] {
    return [{ trigger: "startup", outcome: "ok", count: this.specs.length }];
  }
}

export interface TestServer {
  readonly server: RunningServer;
  readonly engine: Engine;
  readonly manager: TestManager;
  readonly base: string;
  readonly management: string;
  readonly metrics: string;
  readonly port: number;
}

export async function startTestServer(
  specs: readonly ModelSpec[],
  changes: Partial<ServeConfig> = {},
  slowMs = 50,
  dependencies: Partial<ServerDependencies> = {},
): Promise<TestServer> {
  const engine = openFakeEngine({ slowMs });
  let manager: TestManager | undefined;
  const server = await startServer(
    { ...testConfig, ...changes },
    {
      engine,
      engineModule: "",
      log: silentLog,
      version: "0.0.0",
      createModelManager: ({ announce }) => (manager = new TestManager(engine, announce, specs)),
      ...dependencies,
    },
  );
  await server.started;
  const { inference, management, metrics } = server.addresses;
  const url = (address: { readonly port: number }): string => `http://127.0.0.1:${address.port}`;
  return {
    server,
    engine,
    manager: manager!,
    base: url(inference),
    management: url(management),
    metrics: url(metrics),
    port: inference.port,
  };
}

/** Sends bytes, collects what comes until the server closes, an answer's end is seen, or `ms` pass. */
export class RawClient {
  readonly socket: net.Socket;
  received = "";
  closed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => (this.received += text));
    socket.on("close", () => (this.closed = true));
    socket.on("error", () => (this.closed = true));
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  send(text: string | Uint8Array): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  async until(condition: () => boolean, ms = 3000): Promise<void> {
    const end = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited ${ms} ms; received: ${this.received.slice(0, 500)}`);
      await pause(5);
    }
  }

  /** Waits for the head and the whole body of one answer, and takes it from what was received. */
  async answer(ms = 3000): Promise<{ status: number; head: string; body: string }> {
    await this.until(() => bodyOf(this.received) !== undefined, ms);
    const split = bodyOf(this.received) as { head: string; body: string; rest: string };
    this.received = split.rest;
    return { status: Number(split.head.slice(9, 12)), head: split.head, body: split.body };
  }
}

function bodyOf(text: string): { head: string; body: string; rest: string } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  const body = text.slice(end + 4, end + 4 + length);
  return body.length === length ? { head, body, rest: text.slice(end + 4 + length) } : undefined;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A POST with a Content-Length. */
export function post(path: string, body: string, headers = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
