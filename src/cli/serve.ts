/**
 * `sconce serve`: configuration → engine → server → ready line → signals → drain. Main thread. The process is never ended
 * by process.exit while a listener is open: each part closes and the event loop runs dry.
 */
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { isatty } from "node:tty";
import { startServer, type Address, type RunningServer } from "../app.js";
import { readAllowance } from "../config/cgroup.js";
import { optionRows } from "../config/options.js";
import { openToAll, resolveServe, strangeVariables, type Resolved } from "../config/resolve.js";
import type { ServeConfig } from "../config/serve-config.js";
import { snapshotsIn } from "../config/snapshot-files.js";
import { UsageError } from "../config/usage-error.js";
import { readTextFile } from "../config/text-file.js";
import { exitNow, openEngine, socketCalls } from "../engine/native.js";
import type { MetricLine } from "../metrics/torchserve.js";
import { createModelManager } from "../models/manager.js";
import { StartError } from "../models/start-error.js";
import { type ScriptEngine, withScripts } from "../script/engine.js";
import { withPython } from "../worker/engine.js";
import { plainEnvironment } from "../worker/python.js";
import { createLog, type Log, loggerNames, type LogSource, torchserveTime } from "../telemetry/log.js";
import { boundedLines } from "../telemetry/console.js";
import { openSinks, SinkError, type SinkFolder, type Sinks } from "../telemetry/sinks.js";
import { exitCodes } from "./exit-codes.js";
import { ensureBuilt } from "./first-run.js";
import { sayStarted, startedAsVariable } from "./started.js";
import { checkGpus, gpuOptions, libraryFor, sayGpus, watchDevices } from "./gpus.js";
import { supervise } from "./supervise.js";
import type { Terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

/** Names the descriptor whose end of file says that the supervisor is gone. */
export const supervisedVariable = "SCONCE_SUPERVISED_FD";

/** What is still open that long after the drain is not worth waiting for. */
const lingerMs = 3000;
/** What loads by then is there when the command `torchserve` says that it has started. */
const startedGraceMs = 1000;

export async function serve(words: readonly string[], terminal: Terminal): Promise<number> {
  const resolved = resolve(words, terminal);
  const { config } = resolved;
  const supervisor = terminal.env[supervisedVariable];
  if (!(await ensureBuilt(terminal, resolved.yes))) return exitCodes.failure;
  if (config.supervise && supervisor === undefined) return supervise(words, config, terminal);
  const sinks = openFiles(resolved, terminal);
  const log = openLog(config, terminal, sinks);
  for (const warning of strangeVariables(terminal.env)) log.warn(warning);
  if (resolved.files.length > 0) log.info("configuration", { files: resolved.files });
  for (const { level, message } of resolved.notes) log[level](message);
  const loud = openToAll(resolved);
  if (loud !== undefined) log.warn(loud);
  const signals = new Signals();
  if (supervisor !== undefined) endWithParent(Number(supervisor), signals);
  try {
    return await run(resolved, log, sinks, signals, terminal);
  } finally {
    signals.close();
    await sinks.close();
  }
}

function resolve(words: readonly string[], terminal: Terminal): Resolved {
  return resolveServe({
    words,
    env: terminal.env,
    machine: { cores: readAllowance().cores, logToTerminal: isatty(2) },
    readFile: readTextFile,
    exists: existsSync,
    newestSnapshot: (folder) => snapshotsIn(folder)[0],
    torchserve: terminal.env[startedAsVariable] === "torchserve",
  });
}

type FolderKey = "logFolder" | "metricsLogFolder";

function openFiles({ config, settings }: Resolved, terminal: Terminal): Sinks {
  const { logMaxSize: maxBytes, logMaxFiles: maxFiles } = config;
  const given = (key: FolderKey): boolean => settings.get(key)?.origin.startsWith("default") === false;
  const folder = (key: FolderKey, beside: boolean): SinkFolder | undefined => {
    const path = config[key];
    return path === undefined ? undefined : { path, beside };
  };
  const chosen = given("logFolder");
  try {
    const sinks = openSinks({
      folder: folder("logFolder", !chosen),
      metricsFolder: folder("metricsLogFolder", !chosen && !given("metricsLogFolder")),
      torchserve: config.logFormat === "torchserve",
      maxBytes,
      maxFiles,
      console: consoleOf(terminal),
      onTrouble: (message) => terminal.err(`sconce: ${message}\n`),
    });
    process.on("exit", () => sinks.closeNow());
    // As logrotate says it. Without files that were asked for SIGHUP ends the server, as a terminal means it.
    if (chosen || given("metricsLogFolder")) process.on("SIGHUP", () => sinks.reopen());
    return sinks;
  } catch (error) {
    if (!(error instanceof SinkError)) throw error;
    const key = error.metrics && given("metricsLogFolder") ? "metricsLogFolder" : "logFolder";
    throw new UsageError(`--${optionRows[key].flag} ${config[key]}: ${error.message}`);
  }
}

/** TorchServe's console is standard output, and scripts that keep it redirect that. */
function consoleOf({ out, err, env, unread }: Terminal): (lines: string) => void {
  return env[startedAsVariable] === "torchserve"
    ? boundedLines({ write: out, unread: () => unread("out") })
    : boundedLines({ write: err, unread: () => unread("err") });
}

function openLog(config: ServeConfig, terminal: Terminal, sinks: Sinks): Log {
  const color = terminal.colorErr && config.logFolder === undefined;
  const write = (line: string, file: LogSource["file"] | "log"): void => sinks[file](line);
  return createLog({ level: config.logLevel, format: config.logFormat, color, write });
}

/** The engine on another thread. */
const engineModule = new URL("../engine/native.js", import.meta.url).href;

function open(config: ServeConfig, log: Log, env: NodeJS.ProcessEnv): ScriptEngine {
  const found = libraryFor(config);
  const logBatches = config.metricsMode !== "prometheus";
  const engine = openEngine({
    cores: config.cores,
    loadParallelism: config.loadParallelism,
    latencyBuckets: config.latencyBuckets,
    maxDecodedBytes: config.maxRequestSize,
    logBatches,
    gpu: gpuOptions(config, found),
  });
  checkGpus(config, found.built, engine.gpus(), log);
  const python = withPython(engine, { config, log, env });
  const engineNeeds = ["LIBTORCH", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"];
  return withScripts(python, {
    log,
    env: handlerEnvironment(env, [...engineNeeds, ...config.workerEnv]),
    childEnv: handlerEnvironment(env, config.workerEnv),
    engineModule,
    latencyBuckets: config.latencyBuckets,
    logBatches,
  });
}

/** What workers get, and of the rest what is named. */
function handlerEnvironment(env: NodeJS.ProcessEnv, names: readonly string[]): Readonly<Record<string, string>> {
  const given = names.flatMap((name): [string, string][] => {
    const value = env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...plainEnvironment(env), ...Object.fromEntries(given) };
}

async function run(resolved: Resolved, log: Log, sinks: Sinks, signals: Signals, terminal: Terminal): Promise<number> {
  const engine = open(resolved.config, log, terminal.env);
  try {
    return await runWith(engine, resolved, log, sinks, signals, terminal);
  } finally {
    await engine.close();
    // Only reached when something else than a listener keeps the loop alive; all listeners are closed by now.
    setTimeout(() => exitNow(Number(process.exitCode ?? exitCodes.failure)), lingerMs).unref();
  }
}

async function runWith(
  engine: ScriptEngine,
  { config, emptyFault }: Resolved,
  log: Log,
  sinks: Sinks,
  signals: Signals,
  terminal: Terminal,
): Promise<number> {
  const version = packageVersion();
  log.info("starting", {
    version,
    pid: process.pid,
    cores: config.cores,
    httpThreads: config.httpThreads,
    libtorch: engine.info().libtorch,
  });
  sayGpus(engine.deviceStats(), engine.gpus(), log);
  const server = await startServer(config, {
    engine,
    engineModule,
    createModelManager,
    log,
    version,
    sockets: config.oldHttp ? socketCalls() : undefined,
    writeMetrics: (lines) => writeMetrics(lines, sinks, config),
    writeAccess: sinks.access,
  });
  const begun = Promise.race([server.started, delay(startedGraceMs, undefined, { ref: false })]);
  void begun.then(
    () => sayStarted(terminal),
    () => undefined,
  );
  const first = await Promise.race([
    server.started.then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
    signals.first,
  ]);
  if (first !== undefined && typeof first === "object") {
    await server.drain();
    throw first.error;
  }
  if (first === undefined && emptyFault !== undefined && server.catalog.list().length === 0) {
    await server.drain();
    throw new StartError(emptyFault.file, emptyFault.reason);
  }
  const watch = watchDevices(engine, log);
  if (first === undefined) {
    terminal.out(`${readyLine(server, config)}\n`);
    if (server.catalog.list().length === 0) log.warn("no model is configured; name one: sconce serve model.mar");
    // A process that has lost a device cannot use it again. The supervisor starts another one.
    const supervised = terminal.env[supervisedVariable] !== undefined;
    await (supervised ? Promise.race([signals.first, watch.lost]) : signals.first);
  }
  watch.close();
  if (signals.received !== undefined) log.info("signal", { signal: signals.received });
  const code = Math.max(await server.drain(), signals.received === undefined ? 1 : 0);
  return code === 0 ? exitCodes.ok : exitCodes.failure;
}

/** TorchServe's log gives each metric line its usual head. */
function writeMetrics(lines: readonly MetricLine[], sinks: Sinks, { logFormat }: ServeConfig): void {
  const time = torchserveTime(new Date());
  for (const file of ["metrics", "modelMetrics"] as const) {
    const head = logFormat === "torchserve" ? `${time} [INFO ] main ${loggerNames[file]} - ` : "";
    const text = lines.filter((line) => line.file === file).map((line) => `${head}${line.text}\n`);
    if (text.length > 0) sinks[file](text.join(""));
  }
}

const authority = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;
const url = ({ host, port, https }: Address): string => `${https ? "https" : "http"}://${authority(host, port)}`;

function readyLine({ addresses, grpc }: RunningServer, config: ServeConfig): string {
  const { inference, management, metrics } = addresses;
  const { inference: predicts, management: manages } = grpc;
  const rpc =
    (predicts === undefined ? "" : ` grpc-inference ${authority(config.grpcInferenceHost, predicts)}`) +
    (manages === undefined ? "" : ` grpc-management ${authority(config.grpcManagementHost, manages)}`);
  return `sconce ready: inference ${url(inference)} management ${url(management)} metrics ${url(metrics)}${rpc}`;
}

/** The first SIGTERM or SIGINT resolves `first`; the second one ends the process with that signal's own action. */
class Signals {
  received: NodeJS.Signals | undefined;
  readonly first: Promise<NodeJS.Signals>;
  private resolveFirst!: (signal: NodeJS.Signals) => void;
  private readonly names = ["SIGTERM", "SIGINT"] as const;

  constructor() {
    this.first = new Promise((resolve) => (this.resolveFirst = resolve));
    for (const name of this.names) process.on(name, this.take);
  }

  readonly take = (signal: NodeJS.Signals): void => {
    if (this.received === undefined) {
      this.received = signal;
      this.resolveFirst(signal);
      return;
    }
    this.close();
    process.kill(process.pid, signal);
  };

  close(): void {
    for (const name of this.names) process.off(name, this.take);
  }
}

/** The supervisor holds the other end of this pipe: when it dies, however it dies, the server drains and ends. */
function endWithParent(fd: number, signals: Signals): void {
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on("error", () => undefined);
  pipe.on("close", () => {
    if (signals.received === undefined) signals.take("SIGTERM");
  });
  pipe.resume();
  pipe.unref();
}
