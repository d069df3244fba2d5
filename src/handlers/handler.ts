/**
 * What a handler may do with a request beside the model's run. `base_handler` does nothing: bytes go to the engine and
 * its finished bytes go to the client. Thread: the HTTP thread of the request; hooks may be asynchronous.
 */

import type { DType, HandlerSpec } from "../types.js";

/** Interleaved 8-bit pixels, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
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

/** One request as handlers see it. Its bytes belong to the handler. */
export interface HandlerRequest {
  /** Of a form: its part. Inflated where it came compressed. */
  readonly body: Uint8Array;
  /** As the client sent it; "" without. */
  readonly contentType: string;
  /** What `pre` leaves for `post`. */
  state: unknown;
}

export interface Handler {
  readonly name: string;
  /** What has to be known of this model (labels, topK). */
  readonly spec: HandlerSpec;
  /**
   * Makes the model's input of a request, whatever its content type says. Undefined: the engine decodes the body by its
   * type. Throws ServerError bad_request, unsupported_media_type or payload_too_large.
   */
  readonly pre: ((request: HandlerRequest) => Promise<Pixels | Rows | readonly TensorIn[]>) | undefined;
  /**
   * Makes the JSON text of the answer. Undefined: the engine encodes it by `Accept`. Without `pre` the request's body is
   * empty here.
   */
  readonly post: ((outputs: readonly OutputTensor[], request: HandlerRequest) => string) | undefined;
}

/** What built-in handlers need of the server. */
export interface HandlerContext {
  /** Pixels (width × height) an image may declare; the option is --max-image-pixels. */
  readonly maxImagePixels: number;
  /** Bytes of one body; the option is --max-request-size. */
  readonly maxRequestSize: number;
  /** Pictures decoded at one time on this thread; more wait their turn. */
  readonly decodeParallelism: number;
}
