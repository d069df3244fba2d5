/**
 * The engine, and beside it the models that Python workers run: to the model manager both are one. What is no Python is
 * passed on. Main thread only, as all of it but `openChannel` is.
 *
 *   const engine = withPython(openEngine(options), { config, log, env: process.env });
 *   …
 *   await engine.close();   // the workers have ended and their folders are gone
 */
import type { MessagePort } from "node:worker_threads";
import type { ServeConfig } from "../config/serve-config.js";
import { BatchList } from "../engine/batch-list.js";
import { Beside } from "../engine/beside.js";
import type { Engine, LoadProgress, ModelStats, TakenBatches } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import type { LoadReport, ModelSpec } from "../types.js";
import { askForMetadata } from "./customized.js";
import { Desk } from "./desk.js";
import { WorkerFolders } from "./folders.js";
import { GroupGuard } from "./guard.js";
import { poolFor, type PythonPool } from "./python-pool.js";
import { findPython, type WorkerPython } from "./python.js";
import { workerUser } from "./user.js";

export type WorkerConfig = Pick<
  ServeConfig,
  | "python"
  | "cores"
  | "latencyBuckets"
  | "maxResponseSize"
  | "workerEnv"
  | "workerMemory"
  | "workerNetwork"
  | "workerFiles"
  | "workerUser"
  | "workerMetrics"
  | "modelMetricsAutoDetect"
  | "metricsMode"
  | "installPyDepPerModel"
  | "workerProcesses"
  | "serviceEnvelope"
  | "decodeInputRequest"
>;

export interface PythonOptions {
  readonly config: WorkerConfig;
  readonly log: Log;
  /** The server's own, of which workers get what is named. */
  readonly env: NodeJS.ProcessEnv;
  /** For tests: a Python that is known already. */
  readonly known?: WorkerPython;
}

export interface PythonEngine extends Engine {
  /** Ends all workers. */
  close(): Promise<void>;
}

export function withPython(engine: Engine, options: PythonOptions): PythonEngine {
  return new WithPython(engine, options);
}

const keyOf = (name: string, version: string): string => `${name}/${version}`;

class WithPython extends Beside implements PythonEngine {
  private readonly options: PythonOptions;
  private folders: WorkerFolders | undefined;
  private readonly guard: GroupGuard;
  /** By load id: loading, or loaded and not published. */
  private readonly loads = new Map<string, PythonPool>();
  /** What the engine itself loads, as "name/version" by load id, until it is published or discarded. */
  private readonly nativeLoads = new Map<string, string>();
  /** By "name/version". */
  private readonly served = new Map<string, PythonPool>();
  /** Default versions that Python runs, by name. */
  private readonly defaults = new Map<string, string>();
  private readonly desk: Desk;
  private readonly batches: BatchList;
  private python: Promise<WorkerPython> | undefined;

  constructor(native: Engine, options: PythonOptions) {
    super(native);
    this.options = options;
    this.batches = new BatchList(options.config.metricsMode !== "prometheus");
    this.guard = new GroupGuard((error) => options.log.warn("no shell guards the workers' children", { error }));
    this.desk = new Desk((model) => this.served.get(model)?.pool);
  }

  override async load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    if (spec.kind !== "python") {
      this.nativeLoads.set(loadId, keyOf(spec.name, spec.version));
      return this.inner.load(spec, loadId, onProgress);
    }
    const begun = performance.now();
    onProgress?.("python");
    const python = await this.findPython();
    const { guard, options } = this;
    const folders = (this.folders ??= new WorkerFolders(workerUser(options.config.workerUser)));
    const pool = await poolFor(spec, python, { folders, guard, batches: this.batches, ...options });
    this.loads.set(loadId, pool);
    onProgress?.("start");
    try {
      await pool.start();
    } catch (error) {
      this.loads.delete(loadId);
      pool.clear();
      throw error;
    }
    return pool.report((performance.now() - begun) / 1000);
  }

  override cancelLoad(loadId: string): void {
    const pool = this.loads.get(loadId);
    if (pool === undefined) this.inner.cancelLoad(loadId);
    else void pool.close(0);
  }

  override discard(loadId: string): void {
    const pool = this.loads.get(loadId);
    this.nativeLoads.delete(loadId);
    if (pool === undefined) this.inner.discard(loadId);
    else void pool.close(0);
    this.loads.delete(loadId);
  }

  override publish(loadId: string): void {
    const pool = this.loads.get(loadId);
    if (pool === undefined) {
      this.nativeLoads.delete(loadId);
      this.inner.publish(loadId);
      return;
    }
    const { name, version } = pool.spec;
    const known = this.stats().some((each) => each.name === name);
    this.loads.delete(loadId);
    this.served.set(keyOf(name, version), pool);
    if (!known) this.defaults.set(name, version);
  }

  override async remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    const pool = this.served.get(keyOf(name, version));
    if (pool === undefined) return this.inner.remove(name, version, timeoutMs);
    this.served.delete(keyOf(name, version));
    if (this.defaults.get(name) === version) this.defaults.delete(name);
    return pool.close(timeoutMs);
  }

  override async replace(loadId: string, timeoutMs: number): Promise<boolean> {
    const next = this.loads.get(loadId);
    const key = next === undefined ? this.nativeLoads.get(loadId) : keyOf(next.spec.name, next.spec.version);
    const old = key === undefined ? undefined : this.served.get(key);
    this.nativeLoads.delete(loadId);
    if (next === undefined || key === undefined) {
      if (old === undefined || key === undefined) return this.inner.replace(loadId, timeoutMs);
      this.inner.publish(loadId);
      this.served.delete(key);
      return old.close(timeoutMs);
    }
    const { name, version } = next.spec;
    const inNative = this.inner.stats().some((each) => each.name === name && each.version === version);
    if (old === undefined && !inNative) {
      throw new ServerError("version_not_found", `Model version: ${version} does not exist for model: ${name}`);
    }
    this.loads.delete(loadId);
    this.served.set(key, next);
    return old === undefined ? this.inner.remove(name, version, timeoutMs) : old.close(timeoutMs);
  }

  override setDefault(name: string, version: string): void {
    if (this.served.has(keyOf(name, version))) {
      this.defaults.set(name, version);
      return;
    }
    this.inner.setDefault(name, version);
    this.defaults.delete(name);
  }

  override resize(name: string, version: string, instances: number): void {
    const found = this.served.get(keyOf(name, version));
    if (found === undefined) this.inner.resize(name, version, instances);
    else found.pool.resize(instances);
  }

  override stats(): readonly ModelStats[] {
    const isDefault = (name: string, version: string): boolean => this.defaults.get(name) === version;
    const native = this.inner
      .stats()
      .map((each) => (this.defaults.has(each.name) ? { ...each, isDefault: false } : each));
    const own = [...this.served.values()].map((each) => each.stats(isDefault(each.spec.name, each.spec.version)));
    return own.length === 0 ? native : [...native, ...own];
  }

  override takeBatches(): TakenBatches {
    return this.batches.take(this.inner.takeBatches?.());
  }

  override openDoor(): MessagePort {
    return this.desk.open();
  }

  override async metadata(name: string, version: string): Promise<Readonly<Record<string, unknown>>> {
    const found = this.served.get(keyOf(name, version));
    return found === undefined ? {} : askForMetadata(found.pool, name, found.spec.responseTimeoutMs);
  }

  async close(): Promise<void> {
    await Promise.all([...this.loads.values(), ...this.served.values()].map((pool) => pool.close(0)));
    this.desk.close();
    this.guard.close();
    this.folders?.close();
  }

  /** Asked once; again after it was found wanting, as the operator may have seen to it. */
  private async findPython(): Promise<WorkerPython> {
    const { known, config } = this.options;
    this.python ??= known === undefined ? findPython(config.python) : Promise.resolve(known);
    try {
      return await this.python;
    } catch (error) {
      this.python = undefined;
      throw error instanceof ServerError ? error : new ServerError("internal", String(error), { cause: error });
    }
  }
}
