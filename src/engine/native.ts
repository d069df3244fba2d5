/**
 * The engine on the native addon, and the only file that loads it. One engine per process: the main thread opens it
 * with options, every other thread opens it without and shares it. See engine.ts for the interface.
 */

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { nativeErrorCode, ServerError } from "../errors.js";
import type { LoadReport, ModelSpec, SocketCalls } from "../types.js";
import type {
  Channel,
  DeviceStats,
  Engine,
  EngineInfo,
  EngineOptions,
  GpuPicture,
  LoadProgress,
  ModelStats,
  TakenBatches,
} from "./engine.js";
import { readBatches } from "./batches.js";
import { buildEngine } from "../config/build-commands.js";
import { checkLibtorch, readBuildRecord } from "./libtorch.js";
import { type ChannelFunctions, metaWords, NativeChannel } from "./native-channel.js";

type LoadEvent =
  | [kind: "progress", phase: string]
  | [kind: "done", report: LoadReport]
  | [kind: "failed", code: number, message: string];

/** What native/node/addon.cc exports. Functions throw Errors with the property `nativeCode`. */
interface Addon extends SocketCalls {
  open(options: EngineOptions): void;
  isOpen(): boolean;
  prepareExit(patienceMs: number): void;
  exitNow(status: number): never;
  info(): EngineInfo;
  gpus(): GpuPicture;
  deviceStats(): readonly DeviceStats[];
  load(spec: ModelSpec, loadId: string, onEvent: (...event: LoadEvent) => void): void;
  cancelLoad(loadId: string): void;
  discard(loadId: string): void;
  publish(loadId: string): void;
  replace(loadId: string, timeoutMs: number, onDone: (gone: boolean) => void): void;
  remove(name: string, version: string, timeoutMs: number, onDone: (gone: boolean) => void): void;
  setDefault(name: string, version: string): void;
  resize(name: string, version: string, instances: number): void;
  stats(): readonly ModelStats[];
  /** As batches.ts reads it. */
  takeBatches(): Float64Array;
  tagName(tag: number): string;
  openChannel(meta: Uint32Array, onReady: () => void): ChannelFunctions;
}

/** How long the end of the process waits for batches that run; most take milliseconds. */
const exitPatienceMs = 2000;

/** Two folders up from both src/engine and dist/engine. */
export const defaultAddonPath = fileURLToPath(new URL("../../build/Release/sconce.node", import.meta.url));

/**
 * The process's engine. The first call, on the main thread, gives the options; later calls give none or the same.
 * Throws ServerError: internal when the addon is missing or built for another libtorch, conflict for other options,
 * not_ready when it is not open yet and no options were given.
 */
export function openEngine(options?: EngineOptions, addonPath: string = defaultAddonPath): Engine {
  const addon = loadAddon(addonPath);
  if (options !== undefined) open(addon, options);
  else if (!addon.isOpen())
    throw new ServerError("not_ready", "the engine is not open: the main thread opens it first");
  return new NativeEngine(addon, options?.gpu?.problem ?? "");
}

/**
 * Ends the engine's work before the process ends: the runtime's process.exit runs no clean-up of addons, and static
 * destructors of libtorch under a running model crash the process.
 */
function open(addon: Addon, options: EngineOptions): void {
  const first = !addon.isOpen();
  call(() => addon.open(options));
  if (first && isMainThread) process.once("exit", () => addon.prepareExit(exitPatienceMs));
}

/** What the addon does with sockets; it needs no engine. */
export function socketCalls(): SocketCalls {
  return loadAddon(defaultAddonPath);
}

/**
 * Ends the process at once. process.exit waits for every thread of libuv's pool, and one that waits for a dead network
 * mount never comes back.
 */
export function exitNow(status: number): never {
  return loadAddon(defaultAddonPath).exitNow(status);
}

function loadAddon(path: string): Addon {
  checkLibtorch(readBuildRecord(path), process.env["LIBTORCH"]);
  quietOpenMp(process.env);
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError("internal", `the native engine does not load (${why}): run ${buildEngine}`, { cause });
  }
}

/**
 * OpenMP threads that spin between parallel regions would take the cores from HTTP threads and other lanes. Read by
 * libgomp (PyPI's libtorch) and libiomp when they are loaded, so it has to be set before; what the operator set stays.
 */
function quietOpenMp(environment: NodeJS.ProcessEnv): void {
  const set = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"].some((name) => environment[name] !== undefined);
  if (!set) environment["OMP_WAIT_POLICY"] = "PASSIVE";
}

/** Runs an addon function; its errors become ServerErrors. */
function call<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = (error as { readonly nativeCode?: unknown }).nativeCode;
    if (error instanceof Error && typeof code === "number") {
      throw new ServerError(nativeErrorCode(code), error.message, { cause: error });
    }
    throw error;
  }
}

class NativeEngine implements Engine {
  readonly #addon: Addon;
  /** Why no device library was loaded. */
  readonly #withoutLibrary: string;

  constructor(addon: Addon, withoutLibrary: string) {
    this.#addon = addon;
    this.#withoutLibrary = withoutLibrary;
  }

  info(): EngineInfo {
    return call(() => this.#addon.info());
  }

  gpus(): GpuPicture {
    const picture = call(() => this.#addon.gpus());
    return { ...picture, problem: picture.problem || this.#withoutLibrary };
  }

  deviceStats(): readonly DeviceStats[] {
    return call(() => this.#addon.deviceStats());
  }

  load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    return new Promise((resolve, reject) => {
      const onEvent = (...event: LoadEvent): void => {
        if (event[0] === "progress") onProgress?.(event[1]);
        else if (event[0] === "done") resolve(event[1]);
        else reject(new ServerError(nativeErrorCode(event[1]), event[2]));
      };
      call(() => this.#addon.load(spec, loadId, onEvent));
    });
  }

  cancelLoad(loadId: string): void {
    call(() => this.#addon.cancelLoad(loadId));
  }

  discard(loadId: string): void {
    call(() => this.#addon.discard(loadId));
  }

  publish(loadId: string): void {
    call(() => this.#addon.publish(loadId));
  }

  replace(loadId: string, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => call(() => this.#addon.replace(loadId, timeoutMs, resolve)));
  }

  remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => call(() => this.#addon.remove(name, version, timeoutMs, resolve)));
  }

  setDefault(name: string, version: string): void {
    call(() => this.#addon.setDefault(name, version));
  }

  resize(name: string, version: string, instances: number): void {
    call(() => this.#addon.resize(name, version, instances));
  }

  stats(): readonly ModelStats[] {
    return call(() => this.#addon.stats());
  }

  takeBatches(): TakenBatches {
    return readBatches(
      call(() => this.#addon.takeBatches()),
      (tag) => this.#addon.tagName(tag),
    );
  }

  openChannel(onReady: () => void): Channel {
    const meta = new Uint32Array(metaWords);
    const functions = call(() => this.#addon.openChannel(meta, onReady));
    return new NativeChannel(functions, meta, (tag) => this.#addon.tagName(tag));
  }
}
