/** The pool of one model version: what its workers are started with, where their output goes, what is said of them. */
import { delimiter, resolve } from "node:path";
import type { BatchList } from "../engine/batch-list.js";
import type { ModelStats } from "../engine/engine.js";
import { type ModelEvent, withEvent } from "../telemetry/events.js";
import type { Log } from "../telemetry/log.js";
import { redactLine } from "../telemetry/secrets.js";
import type { LoadReport, ModelSpec, PythonModel } from "../types.js";
import type { PythonOptions } from "./engine.js";
import type { WorkerFolders } from "./folders.js";
import type { GroupGuard } from "./guard.js";
import { HandlerMetrics, maxFamilies, maxSeries } from "./handler-metrics.js";
import { type ModelPython, prepareModel } from "./install.js";
import { loggedLine, nameOf, parseMetricLine } from "./metric-line.js";
import { readMetricList } from "./metric-list.js";
import { checkOperator } from "./operators.js";
import { WorkerPool } from "./pool.js";
import { WorkerProcess, type WorkerSettings } from "./process.js";
import { plainEnvironment, type WorkerPython } from "./python.js";
import type { LaunchedWorker } from "./slot.js";

export interface PythonPoolOptions extends PythonOptions {
  readonly folders: WorkerFolders;
  readonly guard: GroupGuard;
  /** Hears of each batch. */
  readonly batches: BatchList;
  /** Metrics that are shown; undefined: all. */
  readonly listed?: ReadonlySet<string> | undefined;
}

/** Nothing is started yet. Rejects with ServerError invalid_model. */
export async function poolFor(spec: ModelSpec, python: WorkerPython, options: PythonPoolOptions): Promise<PythonPool> {
  const model = spec.python;
  if (model === undefined) throw new Error("a spec of kind python without python");
  const { folders, config, env, log } = options;
  const folder = await folders.version(model.folder);
  try {
    const list = config.workerMetrics === undefined ? undefined : resolve(config.workerMetrics);
    const listed = list === undefined ? undefined : await readMetricList(list);
    const found = list === undefined ? python : { ...python, metrics: list };
    const own = await prepareModel(model, found, {
      ...{ folder, env, install: config.installPyDepPerModel, user: folders.owner },
      timeoutMs: spec.startupTimeoutMs ?? defaultStartupMs,
      say: (words) => log.info(words, { model: spec.name, version: spec.version }),
    });
    if (model.operator !== undefined) await checkOperator(model.operator, own, folder);
    return new PythonPool(spec, model, folder, own, {
      ...options,
      ...(config.modelMetricsAutoDetect ? {} : { listed }),
    });
  } catch (error) {
    folders.remove(folder);
    throw error;
  }
}

export class PythonPool {
  readonly pool: WorkerPool;
  readonly spec: ModelSpec;
  private readonly model: PythonModel;
  /** In which the handler runs. */
  private readonly folder: string;
  private readonly python: WorkerPython;
  /** In which its modules are looked for first. */
  private readonly paths: readonly string[];
  private readonly options: PythonPoolOptions;
  private readonly metrics = new HandlerMetrics();
  /** One line of the log about it is enough. */
  private metricLeftOut = false;
  private started = 0;
  private events: readonly ModelEvent[] = [];

  constructor(spec: ModelSpec, model: PythonModel, folder: string, own: ModelPython, options: PythonPoolOptions) {
    this.spec = spec;
    this.model = model;
    this.folder = folder;
    this.python = own.python;
    this.paths = own.paths;
    this.options = options;
    const { config } = options;
    const log = options.log.child({ model: spec.name, version: spec.version });
    this.pool = new WorkerPool(
      {
        launch: () => this.launch(),
        maxRetryMs: model.maxRetryMs,
        batchSize: spec.batchSize ?? 1,
        maxBatchDelayMs: spec.maxBatchDelayMs,
        queueSize: spec.jobQueueSize,
        latencyBuckets: config.latencyBuckets,
      },
      {
        failed: (pid, { reason }, retryMs) => {
          const then = retryMs === undefined ? "no further worker is started" : `another one in ${retryMs / 1000} s`;
          log.error(`the worker ${reason}; ${then}`, { pid });
          this.events = withEvent(this.events, `worker ${pid ?? "without a process"} ${reason}; ${then}`);
        },
        recovered: (pid) => {
          log.info("a worker is there again", { pid });
          this.events = withEvent(this.events, `worker ${pid ?? ""} is there again`);
        },
        ran: (batch) => options.batches.add({ name: spec.name, runMs: undefined, ...batch }),
      },
    );
  }

  /** Resolves when all workers have loaded; rejects with the first one's reason. */
  start(): Promise<void> {
    return this.pool.start(this.workers);
  }

  report(loadSeconds: number): LoadReport {
    const { version, torch, torchserve } = this.python;
    return {
      form: "python",
      formReason: `handler ${this.model.handler} on Python ${version}, torch ${torch}, torchserve ${torchserve}`,
      batchSize: this.spec.batchSize ?? 1,
      batchReason: this.spec.batchSize === undefined ? "as in TorchServe: 1 unless batchSize says more" : "batchSize",
      warmup: "none: the handler loads its model",
      executor: "lane",
      executorReason,
      outputs: [],
      weightsBytes: 0,
      loadSeconds,
      warmBatchP90Us: 0,
    };
  }

  stats(isDefault: boolean): ModelStats {
    const { name, version } = this.spec;
    const { counters, figures, views } = this.pool;
    return {
      name,
      version,
      isDefault,
      executor: "lane",
      executorReason,
      ...counters.shown,
      ...figures,
      handlerMetrics: this.metrics.shown,
      workers: views,
      events: this.events,
    };
  }

  async close(timeoutMs: number): Promise<boolean> {
    const clean = await this.pool.close(timeoutMs);
    this.clear();
    return clean;
  }

  clear(): void {
    this.options.folders.remove(this.folder);
  }

  /** As in TorchServe one per core, where nothing is said. */
  private get workers(): number {
    return this.spec.instances === 0 ? this.options.config.cores : this.spec.instances;
  }

  private launch(): LaunchedWorker {
    const { folders, guard } = this.options;
    const folder = folders.worker();
    const clear = (): void => folders.remove(folder);
    const { name: model, version } = this.spec;
    const log = this.options.log.child({ model, version, worker: ++this.started });
    const thread = `W-${this.started}-${model}_${version}-stdout`;
    const says = {
      stdout: log.of({ file: "model", thread }),
      stderr: log.of({ file: "model", thread: `W-${this.started}-${model}_${version}-stderr` }),
    };
    const metrics = log.of({ file: "modelMetrics", thread });
    try {
      const worker = new WorkerProcess(this.settings(folder, guard), {
        line: (stream, text) => says[stream].info(text, { stream }),
        metric: (text) => this.measured(text, metrics, log),
        dropped: (lines) => log.warn("output of the worker was left out", { lines }),
      });
      return { worker, clear };
    } catch (error) {
      clear();
      throw error;
    }
  }

  /** /metrics shows it in mode prometheus alone; in the others it is logged. */
  private measured(text: string, metrics: Log, log: Log): void {
    const sample = parseMetricLine(text);
    const line = redactLine(loggedLine(text, sample));
    const shown = this.options.config.metricsMode === "prometheus";
    const unlisted = this.options.listed?.has(sample?.name ?? nameOf(text)) === false;
    metrics[shown || unlisted ? "debug" : "info"](line, { stream: "metrics" });
    if (!shown || unlisted || this.metrics.take(sample) || this.metricLeftOut) return;
    this.metricLeftOut = true;
    log.warn(leftOutWords, { line });
  }

  private settings(folder: string, guard: GroupGuard): WorkerSettings {
    const { spec, model, options, python } = this;
    const { config } = options;
    return {
      python,
      load: {
        modelName: spec.name,
        modelPath: this.folder,
        batchSize: spec.batchSize ?? 1,
        handler: model.handler,
        gpu: -1,
        envelope: config.serviceEnvelope === "none" ? "" : config.serviceEnvelope,
        limitMaxImagePixels: true,
      },
      folder,
      environment: this.environment(),
      limits: {
        user: this.options.folders.owner ?? null,
        network: config.workerNetwork,
        memory: config.workerMemory,
        files: config.workerFiles,
        processes: config.workerProcesses,
      },
      guard,
      startupTimeoutMs: spec.startupTimeoutMs ?? defaultStartupMs,
      responseTimeoutMs: spec.responseTimeoutMs,
      maxFrameBytes: config.maxResponseSize * (spec.batchSize ?? 1) + frameHeadBytes,
    };
  }

  /** Nothing of the server's own but what the operator names. */
  private environment(): Readonly<Record<string, string>> {
    const { config, env } = this.options;
    const named = config.workerEnv.flatMap((name): [string, string][] => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    });
    const threads = String(Math.max(1, Math.floor(config.cores / Math.max(1, this.workers))));
    return {
      ...plainEnvironment(env),
      OMP_NUM_THREADS: threads,
      TS_DECODE_INPUT_REQUEST: String(config.decodeInputRequest),
      ...Object.fromEntries(named),
      PYTHONPATH: [this.folder, ...this.paths, this.python.home, env["PYTHONPATH"] ?? ""]
        .filter((each) => each !== "")
        .join(delimiter),
    };
  }
}

const leftOutWords = `a metric of the handler is not at /metrics, and others may not be: Prometheus has no such name or value, or the name had another type, or there are more than ${maxFamilies} names or ${maxSeries} combinations of dimensions`;
const executorReason = "a Python handler: TorchServe's workers run it";
/** As in TorchServe, where nothing is said. */
const defaultStartupMs = 120_000;
/** Of a frame beside the bodies. */
const frameHeadBytes = 1024 * 1024;
