/**
 * What a handler may do with a request beside the model's run. `base_handler` does nothing: bytes go to the engine and
 * its finished bytes go to the client. A handler either has hooks around the engine's run (`pre`, `post`), or makes the
 * whole answer itself (`serve`): in a thread, a child process, a Python worker.
 * Thread: the HTTP or gRPC thread of the request; hooks may be asynchronous.
 */

import type { ErrorCode } from "../errors.js";
import type { DType, HandlerSpec, ScriptSpec } from "../types.js";

/** Interleaved 8-bit pixels, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** Several pictures of one request; `post` gets the outputs of one after those of another. */
export interface Pictures {
  readonly pictures: readonly Pixels[];
}

/** One input of the model for one sample; `data` is little-endian and row-major. */
export interface TensorIn {
  /** As the model declares it; absent: by place. All of a request's tensors have names, or none has. */
  readonly name?: string;
  readonly dtype: DType;
  /** Without the batch dimension. */
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Several samples of one request, with the same inputs each; `post` gets the outputs of one after those of another. */
export interface Rows {
  readonly rows: readonly (readonly TensorIn[])[];
}

/** One output of the model for one sample, without the batch dimension; `data` is little-endian and row-major. */
export interface OutputTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** One field of a form, or one named input of a gRPC request. */
export interface Part {
  readonly name: string;
  readonly fileName: string;
  /** "": none was given. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** One request as handlers see it. Its bytes belong to the handler. */
export interface HandlerRequest {
  /** The client's x-request-id or one made for it; "" without. */
  readonly id: string;
  /** Of a form: its field `data` or `body`, else its only field, else nothing. Inflated where it came compressed. */
  readonly body: Uint8Array;
  /** What a gRPC client called its one input; absent: "body". */
  readonly bodyName?: string;
  readonly contentType: string;
  readonly accept: string;
  /** Undefined where the body is no form. */
  readonly parts: readonly Part[] | undefined;
  /** Names in lower case, several values joined by ", ". Only filled for handlers that set `wantsHeaders`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The query's parameters, decoded; the last of a name counts. */
  readonly parameters: Readonly<Record<string, string>>;
  /** What follows the version in the path, decoded, without a slash at either end; "" without. */
  readonly urlPath: string;
  /** An explanation is asked for instead of a prediction. */
  readonly explains: boolean;
  /** Whether the client named the model's version. */
  readonly named: boolean;
  /** Calls `step` when the client has gone away or was answered 504; at once where that is so already. One per request. */
  onAbort(step: () => void): void;
  /** What `pre` leaves for `post`. */
  state: unknown;
}

export type AnswerHeaders = readonly (readonly [name: string, value: string])[];

/** Status and headers of an answer. Headers that belong to the transport (content-length, connection…) are left out. */
export interface AnswerHead {
  /** 200 to 599; absent: 200. */
  readonly status?: number;
  /** Absent: application/json for text, application/octet-stream for bytes. */
  readonly contentType?: string;
  readonly headers?: AnswerHeaders;
}

export interface Answer extends AnswerHead {
  readonly body: string | Uint8Array;
}

/**
 * Takes the answer of one request: `answer` once, or any number of `part`s and then `end`, or `fail`. What comes after
 * the end, or after the client went away, is without effect.
 */
export interface Reply {
  answer(answer: Answer): void;
  /** Before the first part; without it the head is that of bytes with status 200. */
  open(head: AnswerHead): void;
  /** Streams; the first part sends the head. False: wait for `ready` before the next, as the client is slow. */
  part(bytes: Uint8Array): boolean;
  /** Resolves when the next part may come, or when nobody waits for one any more. */
  ready(): Promise<void>;
  end(): void;
  /** After the first part the client sees a connection that closes instead. `cause` is only logged. */
  fail(code: ErrorCode, message: string, cause?: unknown): void;
}

/** What `pre` makes of a request. */
export type Input = Pixels | Pictures | Rows | readonly TensorIn[];

/** Tensors that were packed elsewhere as handlers/tensor-frame.ts packs them; "body": the engine reads the body itself. */
export interface Packed {
  readonly packed: Uint8Array | "body";
}

/** The request ends here, with an answer of the handler's own. */
export interface Refused {
  readonly refused: Answer;
}

export interface Handler {
  readonly name: string;
  /** What has to be known of this model (labels, topK). */
  readonly spec: HandlerSpec;
  /**
   * Makes the model's input of a request, whatever its content type says. Undefined: the engine decodes the body by its
   * type. Throws ServerError bad_request, unsupported_media_type or payload_too_large. Beside `serve`: for explanations.
   */
  readonly pre?: ((request: HandlerRequest) => Promise<Input | Packed | Refused>) | undefined;
  /**
   * Makes the answer (text: JSON). Undefined: the engine encodes it by `Accept`. Without `pre` the request's body is
   * empty here.
   */
  readonly post?: ((outputs: readonly OutputTensor[], request: HandlerRequest) => Made | Promise<Made>) | undefined;
  /**
   * Makes the answer of an explanation, where JSON is asked for and no detail: of each sample the attributions of each
   * input, the target's place, the score and the convergence delta. Undefined: the engine writes the attributions.
   */
  readonly explained?: ((outputs: readonly OutputTensor[], request: HandlerRequest) => string) | undefined;
  /** Predictions are answered elsewhere; so are explanations where there is no `pre`. */
  readonly serve?: ((request: HandlerRequest, reply: Reply) => void) | undefined;
  /** Whether requests carry their headers. */
  readonly wantsHeaders?: boolean;
  /** Whether the answer's type is the handler's affair; else only clients that take JSON come to one with `post`. */
  readonly anyAccept?: boolean;
}

type Made = string | Answer;

/** Whether a handler reads the body's bytes itself, so that its type is the handler's affair. */
export function readsBytes(handler: Handler): boolean {
  return handler.pre !== undefined || handler.serve !== undefined;
}

/** The way from a thread to the workers that run handlers elsewhere. */
export interface WorkerDoor {
  /** `model`: "name/version". `timeoutMs` 0: none. */
  serve(model: string, request: HandlerRequest, reply: Reply, timeoutMs: number): void;
}

/** The way from a thread to handlers in TypeScript or JavaScript, which have threads of their own. */
export interface ScriptDoor {
  serve(script: ScriptSpec, request: HandlerRequest, reply: Reply, timeoutMs: number): void;
  /** What the handler makes the model's input of. Rejects with ServerError. */
  prepare(script: ScriptSpec, request: HandlerRequest, timeoutMs: number): Promise<Packed | Refused>;
}

/** What built-in handlers need of the server. */
export interface HandlerContext {
  /** Absent where no Python model can be. */
  readonly workers?: WorkerDoor | undefined;
  /** Absent where no handler in TypeScript can be. */
  readonly scripts?: ScriptDoor | undefined;
  /** Pixels (width × height) an image may declare; the option is --max-image-pixels. */
  readonly maxImagePixels: number;
  /** Bytes of one body; the option is --max-request-size. */
  readonly maxRequestSize: number;
  /** Pictures decoded at one time on this thread; more wait their turn. */
  readonly decodeParallelism: number;
}
