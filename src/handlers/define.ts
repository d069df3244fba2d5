/**
 * What a handler written in TypeScript or JavaScript is made of. Its file's default export is what `defineHandler` gives:
 *
 *   import { defineHandler, HandlerError, tensor } from "sconce";
 *
 *   export default defineHandler({
 *     preprocess(request) {
 *       const { age } = request.json() as { age?: unknown };
 *       if (typeof age !== "number") throw new HandlerError(400, "age must be a number");
 *       return tensor(new Float32Array([age]), [1]);
 *     },
 *     postprocess: ([scores]) => ({ score: scores.data[0] }),
 *   });
 *
 * Imports nothing, so that it is bundled with handlers. Thread: the handler's own.
 */

/** PyTorch's words. */
export type TensorDType =
  "bool" | "uint8" | "int8" | "int16" | "int32" | "int64" | "float16" | "bfloat16" | "float32" | "float64";

/** float16 and bfloat16 are the 16 bits of each number in a Uint16Array; bool is 0 or 1 in a Uint8Array. */
export type TensorData =
  Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | BigInt64Array;

/** One sample's input or output of the model, row-major, without the batch dimension. */
export interface Tensor {
  readonly name?: string;
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** As the model's outputs come; `data` is the engine's own memory, so keep no more of it than you need. */
export interface OutputTensor extends Tensor {
  readonly name: string;
}

/** The dtype that an array has by itself; never: it has to be said. */
export type DTypeOf<Data extends TensorData> = Data extends Float32Array
  ? "float32"
  : Data extends Float64Array
    ? "float64"
    : Data extends BigInt64Array
      ? "int64"
      : Data extends Int32Array
        ? "int32"
        : Data extends Int16Array
          ? "int16"
          : Data extends Int8Array
            ? "int8"
            : Data extends Uint8Array
              ? "uint8"
              : never;

/** A tensor whose dtype is its array's, unless `dtype` says which of several it is. */
export function tensor<
  Data extends TensorData,
  const Shape extends readonly number[],
  DType extends TensorDType = DTypeOf<Data>,
>(
  data: Data,
  shape: Shape,
  more: { readonly name?: string; readonly dtype?: DType } = {},
): Tensor & { readonly dtype: DType; readonly shape: Shape; readonly data: Data } {
  return { ...more, dtype: more.dtype ?? (dtypeOf(data) as DType), shape, data };
}

function dtypeOf(data: TensorData): TensorDType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Uint8Array) return "uint8";
  throw new TypeError("tensor: the dtype of this array has to be said: { dtype: … }");
}

/** The model's inputs of one request: one tensor, several by place, several by name, or several samples (`rows`). */
export type ModelInput =
  Tensor | readonly Tensor[] | { readonly rows: readonly (readonly Tensor[])[] } | Readonly<Record<string, Tensor>>;

/** One field of a form. */
export interface RequestPart {
  readonly name: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Where a request stands in a trace, after W3C Trace Context: the server's own span in it. The server exports none. */
export interface Span {
  /** 32 hexadecimal digits: the caller's, where its `traceparent` is valid, else a new one. */
  readonly traceId: string;
  /** 16 hexadecimal digits, of this request alone. */
  readonly spanId: string;
  /** The caller's span; undefined: the trace begins here, and `tracestate`, where there is one, is not of it. */
  readonly parentSpanId: string | undefined;
  /** The caller keeps a record of the trace. */
  readonly sampled: boolean;
  /** The header `traceparent` for calls of the handler's own: they become this span's children. */
  readonly traceparent: string;
}

export interface Request {
  /** The client's x-request-id, or one made for it. */
  readonly id: string;
  readonly span: Span;
  /** The context's log; its lines have this request's `requestId`, `trace_id` and `span_id`. */
  readonly log: Log;
  /** The handler's own. Of a form: its field `data` or `body`, else its only field. */
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly accept: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the query, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** What follows the version in the path. */
  readonly urlPath: string;
  /** Undefined where the body is no form. */
  readonly parts: readonly RequestPart[] | undefined;
  /** What `preprocess` gives is explained instead of run; `postprocess` is not called. */
  readonly explains: boolean;
  /** Aborted when the client went away or was answered otherwise. */
  readonly signal: AbortSignal;
  /** Whatever one hook leaves for the next. */
  state: unknown;
  /** The body as JSON; throws HandlerError 400 when it is none. */
  json(): unknown;
  /** The body as UTF-8; throws HandlerError 400 when it is none. */
  text(): string;
}

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Metrics {
  /** Adds to the counter `sconce_handler_count_total{name}`. */
  count(name: string, by?: number): void;
  /** Sets the gauge `sconce_handler_value{name}`. */
  set(name: string, value: number): void;
}

export interface ModelFacts {
  readonly name: string;
  readonly version: string;
  /** The folder with the model's files, to be read only. */
  readonly folder: string;
  /** As model-config.yaml declares them; empty where it does not. */
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: TensorDType;
    readonly shape: readonly number[];
    readonly optional: boolean;
  }[];
  readonly outputs: readonly string[];
}

/** The same for every request of a handler. */
export interface Context<State = unknown> {
  readonly model: ModelFacts;
  /** `sconce.handler.config` of model-config.yaml. */
  readonly config: unknown;
  readonly log: Log;
  readonly metrics: Metrics;
  /** What `initialize` returned. */
  readonly state: State;
  /** Runs the model itself, in a batch with whatever else waits for it. */
  infer(input: ModelInput): Promise<readonly OutputTensor[]>;
}

/**
 * An answer with a status, a type or headers of its own; `body` that is neither text nor bytes becomes JSON, and that of an
 * async iterator is sent part by part.
 */
export class Answer {
  /** Tells it from other values: each bundled handler has a class of its own. */
  readonly kind = "sconce.Answer";
  readonly body: unknown;
  readonly status: number;
  readonly contentType: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    body: unknown,
    more: {
      readonly status?: number;
      readonly contentType?: string;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    this.body = body;
    this.status = more.status ?? 200;
    this.contentType = more.contentType;
    this.headers = more.headers ?? {};
  }
}

/** A refusal whose status (400 to 599) and words reach the client; any other error is a 500 that says nothing. */
export class HandlerError extends Error {
  readonly kind = "sconce.HandlerError";
  readonly status: number;

  constructor(status: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "HandlerError";
    this.status = status;
  }
}

type Soon<T> = T | Promise<T>;

/** Hooks for one request at a time; what fails fails that request alone. */
export interface RequestHooks<State = unknown> {
  readonly batch?: false;
  /** Before the first request; the handler serves when it has settled. */
  initialize?(context: Omit<Context, "state" | "infer">): Soon<State>;
  /** Makes the model's input. Absent: the body is read as `base_handler` reads it. */
  preprocess?(request: Request, context: Context<State>): Soon<ModelInput>;
  /**
   * Takes the place of the model's run: gets what `preprocess` made (without one: the request) and gives what `postprocess`
   * gets (without one: the answer). `context.infer` runs the model.
   */
  inference?(input: unknown, request: Request, context: Context<State>): unknown;
  /** Makes the answer: JSON of what is returned, bytes, an `Answer`, or parts by an async iterator. */
  postprocess?(outputs: readonly OutputTensor[], request: Request, context: Context<State>): unknown;
}

/**
 * Hooks for those requests that wait together. Each gives one entry per request, in order; an entry that is an Error fails
 * its request alone. After a throw or a wrong count each request is tried by itself.
 */
export interface BatchHooks<State = unknown> {
  readonly batch: true;
  initialize?(context: Omit<Context, "state" | "infer">): Soon<State>;
  preprocess?(requests: readonly Request[], context: Context<State>): Soon<readonly (ModelInput | Error)[]>;
  postprocess?(
    outputs: readonly (readonly OutputTensor[])[],
    requests: readonly Request[],
    context: Context<State>,
  ): Soon<readonly unknown[]>;
}

export type HandlerDefinition<State = unknown> = RequestHooks<State> | BatchHooks<State>;

/** Gives back what it got, with types. */
export function defineHandler<State>(handler: RequestHooks<State>): RequestHooks<State>;
export function defineHandler<State>(handler: BatchHooks<State>): BatchHooks<State>;
export function defineHandler<State>(handler: HandlerDefinition<State>): HandlerDefinition<State> {
  return handler;
}
