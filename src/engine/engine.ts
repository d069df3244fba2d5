/**
 * The engine's interface: everything above it (inference, models, metrics) knows only this file.
 * `native.ts` implements it on the addon, `fake.ts` in memory for unit tests; test/contract runs one suite on both.
 *
 *   const engine = openEngine();                       // one per process, shared by all threads
 *   const report = await engine.load(spec, "load-1");  // on a native loader thread
 *   engine.publish("load-1");                          // visible to every thread at once
 *   const channel = engine.openChannel(onReady);       // one per thread that sends requests
 *   channel.infer(7, channel.nameId("digits"), "", body, InputFormat.json, OutputFormat.json, 120_000);
 *   channel.flush(sink);                               // at the end of the event loop's turn
 */

import type { MessagePort } from "node:worker_threads";
import type { ModelEvent } from "../telemetry/events.js";
import type { DType, ExplainSettings, LoadReport, ModelSpec } from "../types.js";

/** Numbers as in native/codec/codec.h. `tensors`: what a handler made of a request, a frame of src/handlers/tensor-frame.ts. */
export const InputFormat = { json: 0, raw: 1, npy: 2, tensors: 3, v2: 4 } as const;
export type InputFormat = (typeof InputFormat)[keyof typeof InputFormat];

/** Longest JSON before the tensors of an Open Inference Protocol body, in bytes: what `v2Input` has room for. */
export const maxV2Json = 0xff_ffff;

/** InputFormat.v2 with tensors as bytes behind the first `jsonBytes` of the body, which are JSON. */
export function v2Input(jsonBytes: number): InputFormat {
  return (InputFormat.v2 | (jsonBytes << 8)) as InputFormat;
}

/** Numbers as in native/core/task.h. */
export const OutputFormat = { json: 0, npy: 1, raw: 2, tensors: 3, v2: 4 } as const;
export type OutputFormat = (typeof OutputFormat)[keyof typeof OutputFormat];

/** The version that goes with it is the default one at this moment: no client named it. */
const defaultVersion = 8;

/** An output format for a request whose version the server chose, so that it is counted as one that named none. */
export function unnamed(output: OutputFormat): OutputFormat {
  return (output | defaultVersion) as OutputFormat;
}

/** The format itself. */
export function formatOf(output: OutputFormat): OutputFormat {
  return (output & ~defaultVersion) as OutputFormat;
}

/** Whether a client named the version. */
export function isNamed(version: string, output: OutputFormat): boolean {
  return version !== "" && (output & defaultVersion) === 0;
}

export interface TensorOut {
  readonly dtype: DType;
  /** Without the batch dimension. */
  readonly shape: readonly number[];
  /** Byte range in the completion's body. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Called once per finished request. `code` is a native error number (0: ok); `model` is "name/version" of the version
 * that answered; `body` is the answer (JSON as an ASCII string when small, else bytes) or, on error, the message.
 */
export type CompletionSink = (
  cookie: number,
  code: number,
  model: string,
  body: string | ArrayBuffer,
  tensors: readonly TensorOut[] | undefined,
) => void;

/** What `infer*` answers: it will complete at `flush` (0), by `onReady` (1), or was refused with -code (see `lastError`). */
export type Submitted = number;
export const INLINE = 0;
export const QUEUED = 1;

/** One thread's way to the engine. Not shared; closed with its environment at the latest. */
export interface Channel {
  /** A small integer for a name that has been published at some time; -1 otherwise. Stable for the process. */
  nameId(name: string): number;
  /** `body` is only read during the call. version "": the default. timeoutMs 0: none. cookie: any uint32 not in use. */
  infer(
    cookie: number,
    nameId: number,
    version: string,
    body: ArrayBuffer | Uint8Array,
    input: InputFormat,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted;
  /** A body that arrives in pieces is gathered in native memory (64-byte aligned, so raw tensors need no further copy). */
  bodyAppend(cookie: number, chunk: ArrayBuffer): void;
  /** Bytes gathered so far for this cookie. */
  bodySize(cookie: number): number;
  bodyDrop(cookie: number): void;
  /** The gathered body as bytes of its own (for inflating or sniffing); the gathered copy is dropped. */
  bodyTake(cookie: number): ArrayBuffer;
  inferBody(
    cookie: number,
    nameId: number,
    version: string,
    input: InputFormat,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted;
  /** Interleaved uint8 pixels; resized, cropped and normalised natively by the model's ImageTransform. */
  inferImage(
    cookie: number,
    nameId: number,
    version: string,
    pixels: Uint8Array,
    width: number,
    height: number,
    channels: number,
    output: OutputFormat,
    timeoutMs: number,
  ): Submitted;
  /**
   * The next infer* of this cookie asks why the answer is what it is: attributions shaped like the inputs. Always queued,
   * for one thread of low priority that all models share.
   */
  explain(cookie: number, settings: ExplainSettings): void;
  /** The client went away: the request is dropped when the queue is read, and completes as cancelled. */
  cancel(cookie: number): void;
  /** Why the last infer* on this channel was refused. */
  lastError(): string;
  /** Runs this turn's inline batches and reports them. */
  flush(sink: CompletionSink): void;
  /** Reports what lanes finished; call it from `onReady`. */
  drain(sink: CompletionSink): void;
  /** Cancels what is under way; nothing is reported any more. */
  close(): void;
}

export interface Histogram {
  /** Upper bounds in seconds (rows for batch sizes), without +Inf. */
  readonly bounds: readonly number[];
  /** One more than bounds, not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface NamedStats {
  readonly requests: number;
  /** Sums. */
  readonly requestSeconds: number;
  readonly queueSeconds: number;
}

export interface ModelStats {
  readonly name: string;
  readonly version: string;
  readonly isDefault: boolean;
  readonly queueDepth: number;
  readonly inFlight: number;
  /** Instances asked for, as far as the model allows more than one. */
  readonly instances: number;
  /** Instances whose thread has not ended: more than `instances` while some finish their last batch. */
  readonly lanes: number;
  readonly executor: "inline" | "lane";
  readonly executorReason: string;
  /** Of each instance, the GPU that it runs on; absent: the CPU. */
  readonly gpus?: readonly number[];
  /** Rows that its GPU takes at once now: less than the batch size after memory ran out. */
  readonly batchLimit?: number;
  /** Finished requests by native error number. */
  readonly requestsByCode: readonly number[];
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly batches: number;
  readonly inlineBatches: number;
  readonly rows: number;
  readonly requestSeconds: Histogram;
  readonly queueSeconds: Histogram;
  readonly inferenceSeconds: Histogram;
  readonly batchRows: Histogram;
  /** Of the requests above those whose client named the version. */
  readonly named: NamedStats;
  /** Where an instance is a process of its own: what is known of each. */
  readonly workers?: readonly { readonly pid: number | undefined; readonly ready: boolean; readonly since: string }[];
  /** What happened to those processes lately, oldest first. */
  readonly events?: readonly ModelEvent[];
  /** Of a handler with a thread of its own: what it counts and sets, and how often its thread was started again. */
  readonly handler?: {
    readonly counts: readonly (readonly [name: string, count: number])[];
    readonly values: readonly (readonly [name: string, value: number])[];
    readonly restarts: number;
  };
  /** What its Python handler reports through `context.metrics`. */
  readonly handlerMetrics?: readonly HandlerFamily[];
  /** Instances that load. */
  readonly starting?: number;
  /** Instances that are not started again after they have ended too often. */
  readonly broken?: number;
}

export type HandlerSeries =
  | { readonly labels: Readonly<Record<string, string>>; readonly value: number }
  | { readonly labels: Readonly<Record<string, string>>; readonly histogram: Histogram };

export interface HandlerFamily {
  readonly name: string;
  /** In TorchServe's words: Milliseconds, Count. */
  readonly unit: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly series: readonly HandlerSeries[];
}

export interface EngineInfo {
  readonly builtAgainst: string;
  readonly libtorch: string;
  readonly cuda: boolean;
  readonly cpuCapability: string;
  readonly parallel: string;
}

export interface EngineOptions {
  /** Cores the lanes may use together. */
  readonly cores: number;
  readonly loadParallelism: number;
  readonly latencyBuckets: readonly number[];
  readonly maxDecodedBytes: number;
  /** Keep what `takeBatches` gives: somebody takes it again and again. */
  readonly logBatches?: boolean;
  /** Absent: the CPU only. */
  readonly gpu?: GpuOptions;
}

export interface GpuOptions {
  /** Path of libsconce_cuda.so; "": none, for the reason in `problem`. */
  readonly library: string;
  readonly problem: string;
  /** GPUs used at most; absent: all. */
  readonly most?: number;
  /** Batches that run on one GPU at a time. */
  readonly concurrency: number;
}

/** What the engine found at its start. */
export interface GpuPicture {
  /** "CUDA 13.0"; "" without the library. */
  readonly library: string;
  /** The newest CUDA that the driver serves; "" without one. */
  readonly driver: string;
  /** Why there is none, or not every one; "" when all is well. */
  readonly problem: string;
  /** Devices that the driver shows this process. */
  readonly found: number;
  readonly inUse: number;
}

/** One GPU in use, as it is now. */
export interface DeviceStats {
  readonly index: number;
  /** "cuda:0" */
  readonly name: string;
  /** "NVIDIA H100 80GB HBM3" */
  readonly hardware: string;
  readonly architecture: string;
  readonly totalBytes: number;
  readonly inService: boolean;
  /** Why it is not. */
  readonly reason: string;
  /** What models may hold together. */
  readonly capacityBytes: number;
  readonly reservedBytes: number;
  /** Batches that run, and that wait for others to end. */
  readonly running: number;
  readonly waiting: number;
  readonly batches: number;
  readonly busySeconds: number;
  /** Batches split because memory ran out. */
  readonly splits: number;
  /** Bytes by "name/version". */
  readonly models: Readonly<Record<string, number>>;
}

/** One batch that ran. */
export interface BatchTimes {
  /** Of the model. */
  readonly name: string;
  /** When it ended, in seconds since 1970. */
  readonly at: number;
  /** The model's run; undefined where its worker says that itself. */
  readonly runMs: number | undefined;
  /** What its thread had to do with it beside the run. */
  readonly outsideMs: number;
  /** Of each request that was answered, from its arrival to the batch's start. */
  readonly waitsMs: readonly number[];
}

export interface TakenBatches {
  readonly batches: readonly BatchTimes[];
  /** Further ones that there was no room for. */
  readonly leftOut: number;
}

/** A phase of a load begins. Called on the main thread; not before the load has its turn. */
export type LoadProgress = (phase: string) => void;

export interface Engine {
  info(): EngineInfo;
  gpus(): GpuPicture;
  deviceStats(): readonly DeviceStats[];
  /** What a version's handler says of itself when asked, where it can be; else, or absent, nothing. Main thread only. */
  metadata?(name: string, version: string): Promise<Readonly<Record<string, unknown>>>;
  /** Main thread only. Rejects with ServerError invalid_model. The loaded model is held under `loadId` until published or discarded. */
  load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport>;
  cancelLoad(loadId: string): void;
  discard(loadId: string): void;
  /** Main thread only. The first version of a name becomes its default. */
  publish(loadId: string): void;
  /** Main thread only. Resolves when every pin is gone (true), or false after timeoutMs (it then goes on in the background). */
  remove(name: string, version: string, timeoutMs: number): Promise<boolean>;
  /**
   * Main thread only. Like `publish`, in place of the version that is routed under the same name and number: every request
   * meets the one or the other. Resolves as `remove` does, for the old one; rejects, with nothing changed, when there is none.
   */
  replace(loadId: string, timeoutMs: number): Promise<boolean>;
  setDefault(name: string, version: string): void;
  /**
   * How many instances a version has from now on; 0: it takes no requests, and what waits is answered first. Running
   * batches are not cut. Throws ServerError: model_not_found, version_not_found, out_of_memory (as many as could start run).
   */
  resize(name: string, version: string, instances: number): void;
  stats(): readonly ModelStats[];
  /** Main thread only. The batches that have run since the last call; absent: none. See EngineOptions.logBatches. */
  takeBatches?(): TakenBatches;
  openChannel(onReady: () => void): Channel;
  /** Main thread only. A way for one other thread to the models that this process does not run itself; absent: none. */
  openDoor?(): MessagePort;
  /** As above, to handlers that have threads of their own. */
  openScriptDoor?(): MessagePort;
}
