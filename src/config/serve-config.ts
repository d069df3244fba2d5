/** What `serve` runs with, after flags, environment, file and defaults were put together (src/config/options.ts). */
import type { ModelSettings } from "./model-settings.js";
import type { ModelSnapshot } from "./model-snapshot.js";

export interface ServeConfig {
  /** As given on the command line: a path, or name=path. */
  readonly positional: readonly string[];
  readonly modelStore: string | undefined;
  /** "all", or file names / name=file pairs inside the store. */
  readonly models: readonly string[];
  readonly strict: boolean;
  /** Where models may come from by URL: prefixes, regular expressions, private addresses (src/download/allow-list.ts). */
  readonly allowedUrls: readonly string[];
  readonly maxDownloadSize: number;
  readonly downloadTimeoutMs: number;
  /** For versions of models that do not say it themselves. */
  readonly modelSettings: ModelSettings;
  /** What to load instead of `models`: a server's own record of what it had loaded. */
  readonly modelSnapshot: ModelSnapshot | undefined;
  /** Whether to keep such records, and to begin with the newest. */
  readonly configSnapshots: boolean;
  readonly snapshotFolder: string;
  /** How often to look for archives that came, changed or went; 0: never. */
  readonly pollModelStoreMs: number;
  readonly storeTimeoutMs: number;
  /** Whether to follow the files and folders that the command line names. */
  readonly watch: boolean;
  /** Instances of a model that does not say how many; 0: one per core. */
  readonly defaultWorkers: number;
  /** Further paths of the inference port: of /ping, and of /invocations. */
  readonly healthRoute: string | undefined;
  readonly predictRoute: string | undefined;
  /** What is served when no model is named and it is there. */
  readonly modelDir: string;
  /** SageMaker's multi-model API, on the inference port. */
  readonly multiModel: boolean;
  /** Where its models must lie. */
  readonly multiModelRoot: string;
  /** GPUs used at most; undefined: every one. */
  readonly numberOfGpu: number | undefined;
  /** Batches that run on one GPU at a time. */
  readonly gpuConcurrency: number;
  readonly host: string;
  readonly managementHost: string;
  readonly metricsHost: string;
  readonly port: number;
  readonly managementPort: number;
  readonly metricsPort: number;
  /** Addresses and networks of proxies that say who their clients are. */
  readonly trustedProxies: readonly string[];
  /** HTTP/1.0 on the inference port. */
  readonly oldHttp: boolean;
  readonly loadWaitMs: number;
  readonly proxyHeader: "x-forwarded-for" | "forwarded";
  /** What paths begin with on the inference and management ports. */
  readonly basePath: string | undefined;
  /** "off": no such listener. */
  readonly grpcInferencePort: number | "off";
  readonly grpcInferenceHost: string;
  /** A connection is asked to close after that long; 0: never. */
  readonly grpcInferenceMaxConnectionAgeMs: number;
  /** What its calls then still get; 0: as long as they take. */
  readonly grpcInferenceMaxConnectionAgeGraceMs: number;
  readonly grpcManagementPort: number | "off";
  readonly grpcManagementHost: string;
  readonly grpcManagementMaxConnectionAgeMs: number;
  readonly grpcManagementMaxConnectionAgeGraceMs: number;
  /** Calls open at one time on one gRPC connection. */
  readonly grpcMaxStreams: number;
  readonly httpThreads: number;
  /** Requests need a key. */
  readonly tokenAuth: boolean;
  readonly tokenExpirationMs: number;
  /** Where the keys are written at start. */
  readonly keyFile: string;
  /** Named tokens with roles and limits; undefined: none. */
  readonly tokensFile: string | undefined;
  /** Whose way where the two differ visibly. */
  readonly compat: "torchserve" | "sconce";
  readonly responseTimeoutMs: number;
  readonly maxRequestSize: number;
  readonly maxResponseSize: number;
  /** Decompressed bytes may be at most this many times the compressed bytes. */
  readonly maxInflateRatio: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** A response that its reader does not take within this time is cut. */
  readonly writeTimeoutMs: number;
  /** A request body must arrive within this time. */
  readonly bodyTimeoutMs: number;
  readonly jobQueueSize: number;
  readonly maxInstances: number;
  /** Pixels (width × height) an image may declare before it is decoded. */
  readonly maxImagePixels: number;
  /** How long an HTTP thread stays awake for the next request of a client that sends one after another, in µs. */
  readonly lingerUs: number;
  readonly drainDelayMs: number;
  readonly drainTimeoutMs: number;
  /** The inference listener speaks HTTPS. */
  readonly https: boolean;
  readonly managementHttps: boolean;
  readonly metricsHttps: boolean;
  /** On both gRPC listeners. */
  readonly grpcTls: boolean;
  readonly certificateFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  readonly keystore: string | undefined;
  readonly keystorePass: string;
  readonly corsAllowedOrigin: string | undefined;
  readonly corsAllowedMethods: string | undefined;
  readonly corsAllowedHeaders: string | undefined;
  /** How long unregistering waits for the last request. */
  readonly unloadTimeoutMs: number;
  /** POST and DELETE on /models. */
  readonly enableModelApi: boolean;
  readonly supervise: boolean;
  readonly insecure: boolean;
  readonly probe: "auto" | "always" | "never";
  readonly probeTimeoutMs: number;
  readonly loadParallelism: number;
  /** Which of TorchServe's metrics the metrics port shows; the others are logged. */
  readonly metricsMode: "log" | "prometheus" | "legacy";
  readonly metricsApi: boolean;
  readonly systemMetrics: boolean;
  readonly metricsIntervalMs: number;
  readonly latencyBuckets: readonly number[];
  /** Cores the server may use (the cgroup's, not the machine's). */
  readonly cores: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "text" | "torchserve";
  readonly accessLog: "off" | "errors" | "all";
  /** Files instead of standard error. */
  readonly logFolder: string | undefined;
  readonly metricsLogFolder: string | undefined;
  readonly logMaxSize: number;
  readonly logMaxFiles: number;
  readonly requestIds: "echo" | "always";
  /** Program that runs Python handlers. */
  readonly python: string;
  /** Names of environment variables that Python workers get too. */
  readonly workerEnv: readonly string[];
  /** Bytes of data of one Python worker; 0: no limit. */
  readonly workerMemory: number;
  /** Files that a Python worker may have open. */
  readonly workerFiles: number;
  readonly workerUser: string | undefined;
  readonly installPyDepPerModel: boolean;
  readonly workerMetrics: string | undefined;
  readonly modelMetricsAutoDetect: boolean;
  /** 0: no limit of its own. */
  readonly workerProcesses: number;
  readonly workerNetwork: boolean;
  readonly serviceEnvelope: "none" | "body" | "json" | "kserve" | "kservev2";
  readonly decodeInputRequest: boolean;
  /** How long a hook of a handler in TypeScript may take, where its model does not say. */
  readonly hookTimeoutMs: number;
  readonly handlerIsolation: "auto" | "thread" | "process";
  /** Bytes of data of the process of one handler. */
  readonly handlerMemory: number;
}
