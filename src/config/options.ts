/**
 * Every option of `serve`, once. A row gives the flag, the environment variable, the key in a --config file, the type
 * with its limits, the default, and the words for help and docs/options.md. To add an option: a key in ServeConfig and a
 * row here (the compiler asks for the row).
 */
import { join } from "node:path";
import { bytes, choice, count, flag, GiB, MiB, type OptionRow, port, row, seconds, text } from "./option-row.js";
import { gpuRows } from "./options-gpu.js";
import { grpcRows } from "./options-grpc.js";
import { hostingRows } from "./options-hosting.js";
import { handlerRows } from "./options-handlers.js";
import { loggingRows } from "./options-logging.js";
import { pythonRows } from "./options-python.js";
import { securityRows } from "./options-security.js";
import { storeRows } from "./options-store.js";
import type { ServeConfig } from "./serve-config.js";
import type { OptionValue } from "./values.js";

export type { OptionGroup, OptionRow } from "./option-row.js";

/** By the key of ServeConfig that each fills. */
export const optionRows = {
  modelStore: row("model-store", text, undefined, "models", "Folder of archives that --models names files of.", {
    placeholder: "DIR",
  }),
  models: row(
    "models",
    { type: "list" },
    [],
    "models",
    "What to load of the model store: `all`, or file names or name=file. Takes every word up to the next option.",
  ),
  allowedUrls: row(
    "allowed-urls",
    { type: "list" },
    [],
    "models",
    "URLs that models may come from: beginnings (https://host/path/), regular expressions for the whole URL, and private addresses or networks that hosts may have. Nothing is allowed unless listed.",
  ),
  maxDownloadSize: row(
    "max-download-size",
    bytes(1, 1024 * GiB),
    64 * GiB,
    "limits",
    "An archive over this is not fetched from its URL.",
  ),
  downloadTimeoutMs: row(
    "download-timeout",
    seconds(0.1, 86_400),
    3_600_000,
    "loading",
    "An archive must have come from its URL by then.",
  ),
  strict: row("strict", flag, false, "models", "With `--models all`: a model that does not load ends the start."),
  modelSettings: row(
    "model-settings",
    { type: "modelSettings" },
    {},
    "models",
    "Batch sizes, delays, workers, timeouts by model and version, where the model's own model-config.yaml says nothing.",
  ),
  ...storeRows,
  ...hostingRows,
  defaultWorkers: row(
    "default-workers",
    count(0, 1024),
    0,
    "models",
    "Instances of a model that names no number itself; 0: one per core.",
  ),
  ...gpuRows,
  host: row("host", text, "auto", "listeners", "Address of the inference listener.", {
    placeholder: "ADDRESS",
    auto: "127.0.0.1; all addresses where AIP_HTTP_PORT or SAGEMAKER_BIND_TO_PORT is set",
  }),
  managementHost: row("management-host", text, "127.0.0.1", "listeners", "Address of the management listener.", {
    placeholder: "ADDRESS",
  }),
  metricsHost: row("metrics-host", text, "127.0.0.1", "listeners", "Address of the metrics listener.", {
    placeholder: "ADDRESS",
  }),
  port: row("port", port, 8080, "listeners", "Port for inference; 0 takes any free one.", {
    alsoEnv: ["AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT", "PORT"],
  }),
  managementPort: row("management-port", port, 8081, "listeners", "Port for management; 0 takes any free one."),
  metricsPort: row("metrics-port", port, 8082, "listeners", "Port for metrics; 0 takes any free one."),
  ...grpcRows,
  httpThreads: row(
    "http-threads",
    count(1, 256),
    "auto",
    "listeners",
    "Threads that read requests and write answers.",
    {
      auto: "half of --cores",
    },
  ),
  enableModelApi: row(
    "enable-model-api",
    flag,
    false,
    "listeners",
    "Lets POST and DELETE on /models register and unregister models; else they answer 405.",
  ),
  insecure: row(
    "insecure",
    flag,
    false,
    "listeners",
    "Lets the management listener stand on an address that other machines reach, without authorization.",
  ),
  tokenAuth: row(
    "token-auth",
    flag,
    "auto",
    "authorization",
    "Requests need a key of the key file; TorchServe's --disable-token-auth is --no-token-auth.",
    { auto: "on when started as torchserve or with a config.properties" },
  ),
  tokenExpirationMs: row(
    "token-expiration",
    seconds(1, 31_536_000),
    3_600_000,
    "authorization",
    "How long the management and inference keys are good for.",
  ),
  keyFile: row(
    "key-file",
    text,
    "key_file.json",
    "authorization",
    "File that the keys are written to at start, for its owner's eyes only.",
    { placeholder: "FILE" },
  ),
  compat: row(
    "compat",
    choice("torchserve", "sconce"),
    "auto",
    "requests",
    "Whose way where the two differ visibly, such as the status of a wrong key; docs/management.md lists where.",
    { auto: "torchserve when started as torchserve or with a config.properties, else sconce" },
  ),
  responseTimeoutMs: row(
    "response-timeout",
    seconds(0.001, 86_400),
    120_000,
    "requests",
    "A request without an answer by then gets 504. A model's own `responseTimeout` wins.",
  ),
  loadWaitMs: row(
    "load-wait",
    seconds(0, 86_400),
    "auto",
    "requests",
    "How long a request, by HTTP or gRPC, waits for a model that is being loaded, before 503 or UNAVAILABLE; 0: not at all.",
    { auto: "120 when started as torchserve or with a config.properties, else 0" },
  ),
  bodyTimeoutMs: row(
    "body-timeout",
    seconds(0.1, 86_400),
    60_000,
    "requests",
    "A request's body must be there by then, else 408.",
  ),
  writeTimeoutMs: row(
    "write-timeout",
    seconds(0.1, 86_400),
    30_000,
    "requests",
    "An answer that its reader does not take by then is cut.",
  ),
  maxRequestSize: row(
    "max-request-size",
    bytes(1, 16 * GiB),
    64 * MiB,
    "limits",
    "A body over this, raw or decoded, gets 413.",
  ),
  maxResponseSize: row(
    "max-response-size",
    bytes(1, 16 * GiB),
    256 * MiB,
    "limits",
    "An answer over this becomes an error.",
  ),
  maxInflateRatio: row(
    "max-inflate-ratio",
    count(1, 100_000),
    100,
    "limits",
    "How many times its size a compressed body may inflate to.",
  ),
  maxConnections: row(
    "max-connections",
    count(1, 1_000_000),
    10_000,
    "limits",
    "Open connections of the inference listener.",
  ),
  maxConnectionsPerAddress: row(
    "max-connections-per-address",
    count(1, 1_000_000),
    1000,
    "limits",
    "Open connections that one client address may have.",
  ),
  jobQueueSize: row(
    "job-queue-size",
    count(1, 1_000_000),
    100,
    "limits",
    "Requests that may wait for a model, else 503. A model's own `jobQueueSize` wins.",
  ),
  maxInstances: row(
    "max-instances",
    count(1, 1_000_000),
    1024,
    "limits",
    'Samples in one {"instances": […]}. A model\'s own `maxInstances` wins.',
  ),
  maxImagePixels: row(
    "max-image-pixels",
    count(1, 2_000_000_000),
    50_000_000,
    "limits",
    "Width × height that a picture may declare.",
  ),
  lingerUs: row(
    "linger-us",
    count(0, 10_000),
    200,
    "requests",
    "Microseconds that an HTTP thread without work stays awake for the next request while they follow each other quickly; " +
      "0 never; twice that for a quick answer of a handler in TypeScript. Takes up to a core's time, only for such requests, " +
      "and only where there is more than one core.",
  ),
  ...securityRows,
  ...pythonRows,
  ...handlerRows,
  drainDelayMs: row(
    "drain-delay",
    seconds(0, 3600),
    0,
    "shutdown",
    "After SIGTERM: how long to go on accepting while /ping already says 503, so that balancers see it.",
  ),
  drainTimeoutMs: row(
    "drain-timeout",
    seconds(0, 86_400),
    30_000,
    "shutdown",
    "Requests unanswered that long after the port closed are cut, and the exit code is 1.",
  ),
  unloadTimeoutMs: row(
    "unload-timeout",
    seconds(0, 86_400),
    120_000,
    "shutdown",
    "Unregistering a model answers 408 when requests of it still run after this; they are not cut.",
  ),
  supervise: row("supervise", flag, false, "shutdown", "Runs the server as a child and starts it again when it dies."),
  probe: row(
    "probe",
    choice("auto", "always", "never"),
    "auto",
    "loading",
    "Loads each model file in a process of its own first. auto: unless it did well before.",
  ),
  probeTimeoutMs: row(
    "probe-timeout",
    seconds(0.1, 86_400),
    600_000,
    "loading",
    "A probe that takes longer fails its model.",
  ),
  loadParallelism: row("load-parallelism", count(1, 64), "auto", "loading", "Models that load at the same time.", {
    auto: "half of --cores",
  }),
  cores: row("cores", count(1, 1024), "auto", "loading", "Cores that inference may use together.", {
    auto: "those of the cgroup and the CPU affinity",
  }),
  ...loggingRows,
} as const satisfies Readonly<Record<Exclude<keyof ServeConfig, "positional">, OptionRow>>;

export type OptionKey = keyof typeof optionRows;

export const optionKeys = Object.keys(optionRows) as OptionKey[];

/** Options that say where others come from or how the start goes; they fill nothing in ServeConfig. */
export const startRows = {
  config: row(
    "config",
    text,
    undefined,
    "models",
    "YAML file with any of these options by their file keys. Unset: ./sconce.yaml, when there is one.",
    {
      placeholder: "FILE",
    },
  ),
  tsConfig: row(
    "ts-config",
    text,
    undefined,
    "models",
    "TorchServe's config.properties. Unset: ./config.properties, when there is one and no sconce.yaml.",
    { placeholder: "FILE" },
  ),
  yes: row("yes", flag, false, "loading", "First run: builds the native engine without asking."),
} as const satisfies Readonly<Record<string, OptionRow>>;

export const optionTable: readonly OptionRow[] = [...Object.values(optionRows), ...Object.values(startRows)];

/** What the machine offers, for the options whose default follows it. */
export interface Machine {
  readonly cores: number;
  readonly logToTerminal: boolean;
  /** Started as `torchserve`, or with a config.properties: where the two differ, TorchServe's way. */
  readonly torchserve: boolean;
  /** A hosting service says which port it will ask. */
  readonly hosted?: boolean;
  /** Started by the command `torchserve`, which logs as TorchServe does. */
  readonly command?: boolean;
  /** Where TorchServe would put its logs; undefined: its `logs` in the working directory. */
  readonly logs?: string;
  /** Where the files of metrics lie; undefined: nowhere. */
  readonly metricsLogs?: string | undefined;
}

/** The default of a row whose `fallback` is "auto"; undefined: unset. `cores` is the value --cores ended up with. */
export function autoDefault(key: OptionKey, machine: Machine, cores: number): OptionValue | undefined {
  const half = Math.min(Math.max(1, Math.floor(cores / 2)), 64);
  const values: Partial<Record<OptionKey, OptionValue | undefined>> = {
    host: machine.hosted === true ? "0.0.0.0" : "127.0.0.1",
    cores: Math.min(machine.cores, 1024),
    httpThreads: half,
    loadParallelism: half,
    grpcInferencePort: machine.torchserve ? 7070 : "off",
    grpcManagementPort: machine.torchserve ? 7071 : "off",
    tokenAuth: machine.torchserve,
    oldHttp: machine.torchserve,
    compat: machine.torchserve ? "torchserve" : "sconce",
    requestIds: machine.torchserve ? "always" : "echo",
    loadWaitMs: machine.torchserve ? 120_000 : 0,
    configSnapshots: machine.torchserve,
    snapshotFolder: join(machine.logs ?? "logs", "config"),
    logFormat: machine.command === true ? "torchserve" : machine.logToTerminal ? "text" : "json",
    metricsMode: machine.command === true ? "log" : "prometheus",
    accessLog: machine.command === true ? "all" : "off",
    logFolder: machine.command === true ? (machine.logs ?? "logs") : undefined,
    metricsLogFolder: machine.metricsLogs,
  };
  return values[key];
}
