/**
 * The engine, and beside it models that are a handler and nothing else: there is no file to load, so this only keeps what
 * is served, by which version of a name, and how many. What has a model file is passed on. Main thread.
 */
import { Beside } from "../engine/beside.js";
import type { Engine, LoadProgress, ModelStats } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { LoadReport, ModelSpec } from "../types.js";
import { PoolCounters } from "../worker/counters.js";

type Closable = Engine & { close(): Promise<void> };

interface Served {
  readonly spec: ModelSpec;
  /** A handler has one thread. */
  instances: 0 | 1;
}

const keyOf = ({ name, version }: Pick<ModelSpec, "name" | "version">): string => `${name}/${version}`;
const executorReason = "a handler without a model file, which has a thread of its own";

export class WithAlone extends Beside<Closable> {
  /** By load id: loading, or loaded and not published. */
  private readonly loads = new Map<string, ModelSpec>();
  /** "name/version" of what the engine loads, likewise. */
  private readonly innerLoads = new Map<string, string>();
  private readonly served = new Map<string, Served>();
  /** Default versions of this kind, by name. */
  private readonly defaults = new Map<string, string>();

  override load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    if (spec.kind !== "handler") {
      this.innerLoads.set(loadId, keyOf(spec));
      return this.inner.load(spec, loadId, onProgress);
    }
    this.loads.set(loadId, spec);
    return Promise.resolve(reportOf(spec));
  }

  override cancelLoad(loadId: string): void {
    if (!this.loads.has(loadId)) this.inner.cancelLoad(loadId);
  }

  override discard(loadId: string): void {
    this.innerLoads.delete(loadId);
    if (!this.loads.delete(loadId)) this.inner.discard(loadId);
  }

  override publish(loadId: string): void {
    const spec = this.loads.get(loadId);
    this.innerLoads.delete(loadId);
    if (spec === undefined) {
      this.inner.publish(loadId);
      return;
    }
    const known = this.stats().some(({ name }) => name === spec.name);
    this.serve(loadId, spec);
    if (!known) this.defaults.set(spec.name, spec.version);
  }

  override remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    if (!this.served.delete(keyOf({ name, version }))) return this.inner.remove(name, version, timeoutMs);
    if (this.defaults.get(name) === version) this.defaults.delete(name);
    return Promise.resolve(true);
  }

  override replace(loadId: string, timeoutMs: number): Promise<boolean> {
    const spec = this.loads.get(loadId);
    const key = spec === undefined ? this.innerLoads.get(loadId) : keyOf(spec);
    const old = key !== undefined && this.served.has(key);
    if (spec === undefined) {
      if (!old) return this.inner.replace(loadId, timeoutMs);
      this.publish(loadId);
      this.served.delete(key);
      return Promise.resolve(true);
    }
    const { name, version } = spec;
    if (!old && !this.inner.stats().some((each) => each.name === name && each.version === version)) {
      const words = `Model version: ${version} does not exist for model: ${name}`;
      return Promise.reject(new ServerError("version_not_found", words));
    }
    this.serve(loadId, spec);
    return old ? Promise.resolve(true) : this.inner.remove(name, version, timeoutMs);
  }

  override setDefault(name: string, version: string): void {
    if (this.served.has(keyOf({ name, version }))) this.defaults.set(name, version);
    else {
      this.inner.setDefault(name, version);
      this.defaults.delete(name);
    }
  }

  override resize(name: string, version: string, instances: number): void {
    const own = this.served.get(keyOf({ name, version }));
    if (own === undefined) this.inner.resize(name, version, instances);
    else own.instances = instances === 0 ? 0 : 1;
  }

  override stats(): readonly ModelStats[] {
    const inner = this.inner.stats();
    if (this.served.size === 0) return inner;
    const others = inner.map((each) => (this.defaults.has(each.name) ? { ...each, isDefault: false } : each));
    const own = [...this.served.values()].map(({ spec: { name, version }, instances }) => ({
      ...new PoolCounters([]).shown,
      name,
      version,
      isDefault: this.defaults.get(name) === version,
      queueDepth: 0,
      inFlight: 0,
      instances,
      lanes: instances,
      executor: "lane" as const,
      executorReason,
    }));
    return [...others, ...own];
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private serve(loadId: string, spec: ModelSpec): void {
    this.loads.delete(loadId);
    this.served.set(keyOf(spec), { spec, instances: 1 });
  }
}

function reportOf({ handler, batchSize = 1 }: ModelSpec): LoadReport {
  return {
    form: "handler",
    formReason: `${handler.name} answers by itself: there is no model file`,
    batchSize,
    batchReason: "an inference hook takes one request at a time",
    warmup: "none: there is no model to run",
    executor: "lane",
    executorReason,
    outputs: [],
    weightsBytes: 0,
    loadSeconds: 0,
    warmBatchP90Us: 0,
  };
}
