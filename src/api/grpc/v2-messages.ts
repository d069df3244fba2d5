/** The Open Inference Protocol's messages as proto-loader reads and writes them (proto/open_inference.proto). */

/** What proto-loader makes of an int64. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
}

export interface Contents {
  readonly bool_contents: readonly boolean[];
  readonly int_contents: readonly number[];
  readonly int64_contents: readonly Int64[];
  readonly uint_contents: readonly number[];
  readonly fp32_contents: readonly number[];
  readonly fp64_contents: readonly number[];
}

export interface InputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly Int64[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly contents: Contents | null;
}

export interface RequestedOutput {
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface InferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly inputs: readonly InputTensor[];
  readonly outputs: readonly RequestedOutput[];
  readonly raw_input_contents: readonly Uint8Array[];
}

export interface OutputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface InferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly outputs: readonly OutputTensor[];
  readonly raw_output_contents: readonly Uint8Array[];
}

/** ModelReady's and ModelMetadata's. */
export interface ModelRequest {
  readonly name: string;
  readonly version: string;
}

/** RepositoryIndex's. */
export interface IndexRequest {
  /** Only models that are served. */
  readonly ready: boolean;
}

/** ModelStreamInfer's: an answer, or why there is none. */
export interface StreamInferResponse {
  /** "": none. */
  readonly error_message: string;
  readonly infer_response: Partial<InferResponse>;
}
