/** The Open Inference Protocol's words for dtypes, platforms and models. Pure. */

import type { ModelAbout } from "./pipeline.js";
import type { ModelInterface, OutputSpec } from "../types.js";

/** As native/codec/v2_types.h has them. */
export const datatypes: Readonly<Record<OutputSpec["dtype"], string>> = {
  bool: "BOOL",
  uint8: "UINT8",
  int8: "INT8",
  int16: "INT16",
  int32: "INT32",
  int64: "INT64",
  float16: "FP16",
  bfloat16: "BF16",
  float32: "FP32",
  float64: "FP64",
  string: "BYTES",
};

/**
 * What this server speaks beyond the protocol's core. Not "statistics", though they are there: where a server names it,
 * perf_analyzer looks for the version as the whole number it begins with (1 for 1.0), finds none, and ends.
 */
export const extensions: readonly string[] = ["binary_tensor_data", "model_configuration", "model_repository"];

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** With the batch dimension, -1 as any unknown one. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** Of a model that declares no inputs, or whose outputs no warm-up has shown, the lists are empty. */
export function modelMetadata(name: string, { versions, about }: ModelAbout): ModelMetadata {
  return {
    name,
    versions,
    platform: platformOf(about),
    inputs: tensors(about.inputs),
    outputs: tensors(about.outputs),
  };
}

export function platformOf({ kind }: ModelInterface): string {
  return `pytorch_${kind}`;
}

function tensors(all: ModelInterface["outputs"]): TensorMetadata[] {
  return all.map(({ name, dtype, shape }) => ({ name, datatype: datatypes[dtype], shape: [-1, ...shape] }));
}
