/**
 * The engine in memory, for unit tests of what stands above it: same interface, same codes, no libtorch. What a model
 * does is told by the file name of its artifact:
 *
 *   echo…    the input (also for any other name)       sum…    the sum over all elements of a sample
 *   raise…   fails when an element is negative         slow…   the input, after `slowMs`, on a lane
 *   broken…  does not load
 *
 * JSON in and out, raw float32 in and out, tensors out. All but slow models run inline.
 */

import { basename } from "node:path";
import { nativeErrorCode, ServerError } from "../errors.js";
import type { LoadReport, ModelSpec } from "../types.js";
import type { Channel, DeviceStats, Engine, EngineInfo, GpuPicture, LoadProgress, ModelStats } from "./engine.js";
import { FakeChannel } from "./fake-channel.js";
import { behaviourOf, type FakeModel } from "./fake-model.js";

export interface FakeOptions {
  /** How long a slow model takes. */
  readonly slowMs: number;
}

/** A new engine of its own; nothing is shared between two of them. */
export function openFakeEngine(options: FakeOptions = { slowMs: 50 }): Engine {
  return new FakeEngine(options);
}

/** name → versions; the routed state that channels read. */
export class FakeRoutes {
  readonly #names: string[] = [];
  readonly #versions = new Map<string, Map<string, FakeModel>>();
  readonly #defaults = new Map<string, string>();

  nameId(name: string): number {
    return this.#names.indexOf(name);
  }

  /** The model, or the native error number and the words. */
  resolve(nameId: number, version: string): FakeModel | readonly [code: number, message: string] {
    const name = this.#names[nameId];
    const versions = name === undefined ? undefined : this.#versions.get(name);
    if (name === undefined || versions === undefined) return [2, `Model not found: ${name ?? ""}`];
    const wanted = version === "" ? this.#defaults.get(name) : version;
    return versions.get(wanted ?? "") ?? [3, `Model version: ${wanted ?? ""} does not exist for model: ${name}`];
  }

  publish(model: FakeModel): void {
    const { name, version } = model.spec;
    const versions = this.#versions.get(name) ?? new Map<string, FakeModel>();
    if (versions.has(version)) {
      throw new ServerError("conflict", `Model version ${version} is already registered for model ${name}`);
    }
    if (!this.#names.includes(name)) this.#names.push(name);
    versions.set(version, model);
    this.#versions.set(name, versions);
    if (!this.#defaults.has(name)) this.#defaults.set(name, version);
  }

  /** The one that was there under the same name and number. */
  replace(model: FakeModel): FakeModel {
    const { name, version } = model.spec;
    const old = this.find(name, version);
    this.#versions.get(name)?.set(version, model);
    return old;
  }

  remove(name: string, version: string): FakeModel {
    const model = this.find(name, version);
    const versions = this.#versions.get(name);
    versions?.delete(version);
    const last = [...(versions?.keys() ?? [])].at(-1);
    if (last === undefined) {
      this.#versions.delete(name);
      this.#defaults.delete(name);
    } else if (this.#defaults.get(name) === version) {
      this.#defaults.set(name, last);
    }
    return model;
  }

  setDefault(name: string, version: string): void {
    this.find(name, version);
    this.#defaults.set(name, version);
  }

  isDefault(model: FakeModel): boolean {
    return this.#defaults.get(model.spec.name) === model.spec.version;
  }

  all(): readonly FakeModel[] {
    return [...this.#versions.values()].flatMap((versions) => [...versions.values()]);
  }

  find(name: string, version: string): FakeModel {
    const found = this.resolve(this.nameId(name), version);
    if ("spec" in found) return found;
    throw new ServerError(nativeErrorCode(found[0]), found[1]);
  }
}

class FakeEngine implements Engine {
  readonly #options: FakeOptions;
  readonly #routes = new FakeRoutes();
  readonly #loads = new Map<string, { model?: FakeModel; cancelled: boolean }>();

  constructor(options: FakeOptions) {
    this.#options = options;
  }

  info(): EngineInfo {
    return { builtAgainst: "0.0.0", libtorch: "0.0.0", cuda: false, cpuCapability: "FAKE", parallel: "" };
  }

  gpus(): GpuPicture {
    return { library: "", driver: "", problem: "", found: 0, inUse: 0 };
  }

  deviceStats(): readonly DeviceStats[] {
    return [];
  }

  async load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    if (this.#loads.has(loadId)) {
      throw new ServerError("conflict", `a load called "${loadId}" is under way or waits to be published`);
    }
    const load: { model?: FakeModel; cancelled: boolean } = { cancelled: false };
    this.#loads.set(loadId, load);
    await new Promise((resolve) => setImmediate(resolve));
    onProgress?.("load");
    if (load.cancelled || basename(spec.artifact).startsWith("broken")) {
      this.#loads.delete(loadId);
      if (load.cancelled) throw new ServerError("cancelled", "the load was cancelled");
      throw new ServerError("invalid_model", `${spec.artifact}: not a model`);
    }
    const behaviour = behaviourOf(spec.artifact);
    const lane = spec.executor === "lane" || behaviour === "slow";
    load.model = {
      spec,
      behaviour,
      lane,
      slowMs: this.#options.slowMs,
      inFlight: 0,
      instances: Math.max(1, spec.instances),
      named: 0,
      byCode: new Array<number>(18).fill(0),
    };
    return {
      form: "plain",
      formReason: "fake",
      batchSize: spec.batchSize ?? 1,
      batchReason: "fake",
      warmup: "fake",
      executor: lane ? "lane" : "inline",
      executorReason: "fake",
      outputs: [],
      weightsBytes: 0,
      loadSeconds: 0,
      warmBatchP90Us: 0,
    };
  }

  cancelLoad(loadId: string): void {
    const load = this.#loads.get(loadId);
    if (load !== undefined) load.cancelled = true;
  }

  discard(loadId: string): void {
    this.cancelLoad(loadId);
    if (this.#loads.get(loadId)?.model !== undefined) this.#loads.delete(loadId);
  }

  publish(loadId: string): void {
    const model = this.#loads.get(loadId)?.model;
    if (model === undefined) throw new ServerError("not_ready", `no finished load is called "${loadId}"`);
    this.#routes.publish(model);
    this.#loads.delete(loadId);
  }

  async remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    return drained(this.#routes.remove(name, version), timeoutMs);
  }

  async replace(loadId: string, timeoutMs: number): Promise<boolean> {
    const model = this.#loads.get(loadId)?.model;
    if (model === undefined) throw new ServerError("not_ready", `no finished load is called "${loadId}"`);
    const old = this.#routes.replace(model);
    this.#loads.delete(loadId);
    return drained(old, timeoutMs);
  }

  setDefault(name: string, version: string): void {
    this.#routes.setDefault(name, version);
  }

  resize(name: string, version: string, instances: number): void {
    this.#routes.find(name, version).instances = instances;
  }

  stats(): readonly ModelStats[] {
    return this.#routes.all().map((model) => statsOf(model, this.#routes.isDefault(model)));
  }

  openChannel(onReady: () => void): Channel {
    return new FakeChannel(this.#routes, onReady);
  }
}

async function drained(model: FakeModel, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs;
  while (model.inFlight > 0) {
    if (Date.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}

function statsOf(model: FakeModel, isDefault: boolean): ModelStats {
  const none = { bounds: [], counts: [0], sum: 0 };
  const rows = model.byCode.reduce((a, b) => a + b, 0);
  return {
    name: model.spec.name,
    version: model.spec.version,
    isDefault,
    queueDepth: 0,
    inFlight: model.inFlight,
    instances: model.instances,
    lanes: model.instances,
    executor: model.lane ? "lane" : "inline",
    executorReason: "fake",
    requestsByCode: [...model.byCode],
    requestBytes: 0,
    responseBytes: 0,
    batches: rows,
    inlineBatches: model.lane ? 0 : rows,
    rows,
    requestSeconds: none,
    queueSeconds: none,
    inferenceSeconds: none,
    batchRows: none,
    named: { requests: model.named, requestSeconds: 0, queueSeconds: 0 },
  };
}
