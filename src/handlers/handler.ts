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

/** One output of the model for one sample, without the batch dimension; `data` is little-endian and row-major. */
export interface OutputTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface Handler {
  readonly name: string;
  /** What has to be known of this model (labels, topK). */
  readonly spec: HandlerSpec;
  /**
   * Makes pixels of a body, whatever its content type says. Undefined: the engine decodes the body by its type.
   * Throws ServerError bad_request, unsupported_media_type or payload_too_large.
   */
  readonly pre: ((body: Uint8Array) => Promise<Pixels>) | undefined;
  /** Makes the JSON text of the answer. Undefined: the engine encodes it by `Accept`. */
  readonly post: ((outputs: readonly OutputTensor[]) => string) | undefined;
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
