/**
 * Every key of TorchServe's config.properties, once: which options it fills, or what it means here. To honour one more: a
 * `read`. The table in docs/migrating-from-torchserve.md is generated from it. Pure.
 */
import { optionRows, type OptionKey, type OptionRow } from "./options.js";
import { allowed, fromText, type OptionValue } from "./values.js";

export type Filled = Partial<Record<OptionKey, OptionValue>>;

export interface TorchserveKey {
  readonly key: string;
  /** TorchServe's variable for it; undefined: it has none. */
  readonly env: string | undefined;
  /** Value → options; a string says what is allowed instead. Undefined: the key fills nothing. */
  readonly read: ((text: string) => Filled | string) | undefined;
  /** What it means here: a sentence for the docs, and at start for keys without `read`. */
  readonly here: string;
  /** Whether an operator who set it has to know that it is not honoured. */
  readonly warns: boolean;
}

const row = (key: OptionKey): OptionRow => optionRows[key];
const truth = (text: string): boolean | undefined =>
  /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined;

/** Fills one option, whose own kind says what is allowed. `unit` is put behind the number. */
function fills(
  key: string,
  option: OptionKey,
  more: { unit?: string; zeroIsDefault?: boolean; here?: string; env?: string } = {},
): TorchserveKey {
  const { kind } = row(option);
  const read = (text: string): Filled | string => {
    if (more.zeroIsDefault === true && /^0+$/.test(text)) return {};
    const value = kind.type === "boolean" ? truth(text) : fromText(kind, `${text}${more.unit ?? ""}`);
    return value === undefined ? allowed(kind) : { [option]: value };
  };
  const said = more.here === undefined ? "" : ` ${more.here}`;
  return { key, env: envOf(key, more.env), read, here: `\`--${row(option).flag}\`.${said}`, warns: false };
}

/** TorchServe's rule; its exceptions are given. */
function envOf(key: string, exception?: string): string {
  return exception ?? `TS_${key.toUpperCase()}`;
}

/** Not honoured, and harmless or worth a warning. */
function answered(key: string, here: string, more: { harmless?: boolean; env?: string } = {}): TorchserveKey {
  return { key, env: envOf(key, more.env), read: undefined, here, warns: more.harmless !== true };
}

function own(key: string, read: (text: string) => Filled | string, here: string): TorchserveKey {
  return { key, env: envOf(key), read, here, warns: false };
}

const noEnv = (each: TorchserveKey): TorchserveKey => ({ ...each, env: undefined });

const addressAllowed = "http(s)://HOST or http(s)://HOST:PORT";

interface AddressOptions {
  readonly host: OptionKey;
  readonly port: OptionKey;
  readonly https: OptionKey;
  /** What TorchServe takes where the URL has none. */
  readonly httpPort: number;
  readonly httpsPort: number;
}

/** `https://0.0.0.0:8443` → host, port and whether it is HTTPS. */
function address(key: string, { host, port, https, httpPort, httpsPort }: AddressOptions): TorchserveKey {
  const read = (text: string): Filled | string => {
    if (/^unix:/i.test(text)) return `${addressAllowed}: Unix sockets are not served`;
    const found = /^http(s?):\/\/(\[[0-9a-f:.]+\]|[^/?#:@\s]+)(?::(\d{1,5}))?\/?$/i.exec(text);
    const secure = found?.[1] !== "";
    const number = Number(found?.[3] ?? (secure ? httpsPort : httpPort));
    if (!found || number >= 65_535) return addressAllowed;
    const where = { [host]: (found[2] ?? "").replace(/^\[|\]$/g, ""), [port]: number };
    return secure ? { ...where, [https]: true } : where;
  };
  const flags = [host, port, https].map((each) => `\`--${row(each).flag}\``).join(", ");
  return own(key, read, `${flags}. ${addressAllowed}.`);
}

/** Java's other formats have to be converted once. */
function keystoreType(text: string): Filled | string {
  return /^pkcs12$/i.test(text) ? {} : "PKCS12 (keytool -importkeystore -deststoretype PKCS12 makes one)";
}

/** `ALL`, or a list of files with or without names. */
function loadModels(text: string): Filled | string {
  const words = text.split(",").map((each) => each.trim());
  const kept = words.filter((each) => each !== "");
  if (kept.length === 1 && kept[0]?.toLowerCase() === "none") return {};
  return { models: kept.map((each) => (each.toLowerCase() === "all" ? "all" : each)) };
}

function negated(text: string, option: OptionKey): Filled | string {
  const value = truth(text);
  return value === undefined ? "true or false" : { [option]: !value };
}

function imagePixels(text: string): Filled | string {
  const limited = truth(text);
  if (limited === undefined) return "true or false";
  const { kind } = row("maxImagePixels");
  return limited || kind.type !== "integer" ? {} : { maxImagePixels: kind.max };
}

const noJava = "There is no Java in this server.";
const sequences = "Sequence batching is not in this version.";

export const torchserveKeys: readonly TorchserveKey[] = [
  address("inference_address", { host: "host", port: "port", https: "https", httpPort: 80, httpsPort: 443 }),
  address("management_address", {
    host: "managementHost",
    port: "managementPort",
    https: "managementHttps",
    httpPort: 8081,
    httpsPort: 8444,
  }),
  address("metrics_address", {
    host: "metricsHost",
    port: "metricsPort",
    https: "metricsHttps",
    httpPort: 8082,
    httpsPort: 8445,
  }),
  fills("grpc_inference_address", "grpcInferenceHost"),
  fills("grpc_inference_port", "grpcInferencePort"),
  fills("grpc_inference_max_connection_age_ms", "grpcInferenceMaxConnectionAgeMs", { unit: "ms" }),
  fills("grpc_inference_max_connection_age_grace_ms", "grpcInferenceMaxConnectionAgeGraceMs", { unit: "ms" }),
  fills("grpc_management_address", "grpcManagementHost"),
  fills("grpc_management_port", "grpcManagementPort"),
  fills("grpc_management_max_connection_age_ms", "grpcManagementMaxConnectionAgeMs", { unit: "ms" }),
  fills("grpc_management_max_connection_age_grace_ms", "grpcManagementMaxConnectionAgeGraceMs", { unit: "ms" }),
  fills("enable_grpc_ssl", "grpcTls", { here: "With the certificate of HTTPS; without one the start fails." }),
  fills("model_store", "modelStore"),
  answered("workflow_store", "Workflows are not served."),
  own("load_models", loadModels, "`--models`: `ALL`, or a list of files, each with or without `name=`."),
  noEnv(fills("models", "modelSettings", { here: "A model's own model-config.yaml wins." })),
  fills("default_workers_per_model", "defaultWorkers"),
  fills("default_response_timeout", "responseTimeoutMs", { unit: "s" }),
  fills("default_startup_timeout", "probeTimeoutMs", { unit: "s", here: "The time that the trial load may take." }),
  fills("unregister_model_timeout", "unloadTimeoutMs", { unit: "s" }),
  fills("number_of_netty_threads", "httpThreads", {
    zeroIsDefault: true,
    here: "One per core at most; 0: the default.",
  }),
  answered("netty_client_threads", "No connections to workers exist: models run inside this process.", {
    harmless: true,
  }),
  fills("job_queue_size", "jobQueueSize"),
  fills("number_of_gpu", "numberOfGpu", {
    here: "At most; with fewer there the others are used, and a warning says so.",
  }),
  fills("max_request_size", "maxRequestSize"),
  fills("max_response_size", "maxResponseSize"),
  own("limit_max_image_pixels", imagePixels, "false: `--max-image-pixels` is as high as it goes."),
  answered("default_service_handler", "A model that names no handler gets base_handler."),
  fills("service_envelope", "serviceEnvelope", { here: "For Python handlers." }),
  fills("decode_input_request", "decodeInputRequest", { here: "For Python handlers." }),
  answered("prefer_direct_buffer", "Bodies are read without a copy in any case.", { harmless: true }),
  fills("allowed_urls", "allowedUrls", {
    here: "Without it nothing is allowed; private addresses must be listed even where an expression matches.",
  }),
  answered("use_env_allowed_urls", "true: `TS_ALLOWED_URLS` counts.", { harmless: true }),
  fills("install_py_dep_per_model", "installPyDepPerModel"),
  fills("enable_metrics_api", "metricsApi"),
  fills("metrics_mode", "metricsMode"),
  fills("metrics_config", "workerMetrics", {
    here: "For Python handlers; the metrics themselves are those of docs/metrics.md.",
  }),
  fills("model_metrics_auto_detect", "modelMetricsAutoDetect", { here: "Without `metrics_config` as if true." }),
  own("disable_system_metrics", (text) => negated(text, "systemMetrics"), "`--no-system-metrics`."),
  noEnv(answered("system_metrics_cmd", "The machine is measured by the server itself; no command is run.")),
  noEnv(fills("metric_time_interval", "metricsIntervalMs", { unit: "s" })),
  answered("blacklist_env_vars", "Workers see no variables but those that --worker-env names.", { harmless: true }),
  fills("cors_allowed_origin", "corsAllowedOrigin"),
  fills("cors_allowed_methods", "corsAllowedMethods"),
  fills("cors_allowed_headers", "corsAllowedHeaders"),
  fills("keystore", "keystore"),
  fills("keystore_pass", "keystorePass"),
  own("keystore_type", keystoreType, "PKCS12 alone."),
  fills("private_key_file", "privateKeyFile"),
  fills("certificate_file", "certificateFile", { here: "Without one, HTTPS does not start: none is made up." }),
  answered("async_logging", "Logging never waits for its reader.", { harmless: true }),
  answered("initial_worker_port", "Models run inside this process and need no ports.", { harmless: true }),
  answered("initial_distribution_port", "Models run inside this process and need no ports."),
  answered("ts_open_inference_protocol", "The Open Inference Protocol (/v2) is always there.", {
    env: "TS_OPEN_INFERENCE_PROTOCOL",
    harmless: true,
  }),
  own("disable_token_authorization", (text) => negated(text, "tokenAuth"), "`--no-token-auth`."),
  fills("token_expiration_min", "tokenExpirationMs", { unit: "m", env: "TS_TOKEN_EXPIRATION_TIME_MIN" }),
  fills("enable_model_api", "enableModelApi"),
  noEnv({
    ...own("enable_envvars_config", (text) => (truth(text) === undefined ? "true or false" : {}), "As in TorchServe."),
  }),
  ...["id", "start", "end"].map((part) =>
    answered(`ts_header_key_sequence_${part}`, sequences, { env: `TS_HEADER_KEY_SEQUENCE_${part.toUpperCase()}` }),
  ),
  answered("ipex_enable", "libtorch runs as it is, without Intel's extension."),
  answered("ipex_gpu_enable", "Intel's GPUs are not used."),
  answered("cpu_launcher_enable", "Threads are laid out by --cores; no launcher is needed.", { harmless: true }),
  answered("cpu_launcher_args", "Threads are laid out by --cores; no launcher is needed."),
  answered("cpp_log_config", "The log is set by --log-level and --log-format."),
  noEnv(answered("use_native_io", "epoll is always used.", { harmless: true })),
  noEnv(answered("io_ratio", "There is no such ratio to set.", { harmless: true })),
  answered("debug", "Use --log-level debug."),
  answered("vmargs", noJava, { harmless: true }),
  answered("plugins_path", "Java plugins cannot run here."),
  answered("model_server_home", "Nothing is read from there.", { harmless: true }),
  noEnv(fills("model_snapshot", "modelSnapshot", { here: "Wins over load_models." })),
  noEnv(fills("python", "python")),
  noEnv(answered("version", "Written into snapshots.", { harmless: true })),
  noEnv(answered("tsConfigFile", "Written into snapshots.", { harmless: true })),
];
