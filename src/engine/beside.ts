/**
 * An engine that passes everything on to another one. What serves models of a kind of its own beside that one extends it, and
 * overrides what it has to do with. Main thread, as an Engine is.
 */
import type { MessagePort } from "node:worker_threads";
import type { LoadReport, ModelSpec } from "../types.js";
import type {
  Channel,
  DeviceStats,
  Engine,
  EngineInfo,
  GpuPicture,
  LoadProgress,
  ModelStats,
  TakenBatches,
} from "./engine.js";

export class Beside<Inner extends Engine = Engine> implements Engine {
  protected readonly inner: Inner;

  constructor(inner: Inner) {
    this.inner = inner;
  }

  info(): EngineInfo {
    return this.inner.info();
  }
  gpus(): GpuPicture {
    return this.inner.gpus();
  }
  deviceStats(): readonly DeviceStats[] {
    return this.inner.deviceStats();
  }
  async metadata(name: string, version: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.inner.metadata?.(name, version)) ?? {};
  }
  load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    return this.inner.load(spec, loadId, onProgress);
  }
  cancelLoad(loadId: string): void {
    this.inner.cancelLoad(loadId);
  }
  discard(loadId: string): void {
    this.inner.discard(loadId);
  }
  publish(loadId: string): void {
    this.inner.publish(loadId);
  }
  remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    return this.inner.remove(name, version, timeoutMs);
  }
  replace(loadId: string, timeoutMs: number): Promise<boolean> {
    return this.inner.replace(loadId, timeoutMs);
  }
  setDefault(name: string, version: string): void {
    this.inner.setDefault(name, version);
  }
  resize(name: string, version: string, instances: number): void {
    this.inner.resize(name, version, instances);
  }
  stats(): readonly ModelStats[] {
    return this.inner.stats();
  }
  takeBatches(): TakenBatches {
    return this.inner.takeBatches?.() ?? { batches: [], leftOut: 0 };
  }
  openChannel(onReady: () => void): Channel {
    return this.inner.openChannel(onReady);
  }
  openDoor(): MessagePort {
    const port = this.inner.openDoor?.();
    if (port === undefined) throw new Error("this engine has no door to Python workers");
    return port;
  }
}
