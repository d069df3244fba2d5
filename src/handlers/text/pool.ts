/** One vector of the vectors of a text's tokens. Sums are made in double precision. Pure. */

import { ServerError } from "../../errors.js";
import type { TextSpec } from "../../types.js";
import type { OutputTensor } from "../handler.js";
import { readFloats } from "../tensor-read.js";
import { firstToken } from "./pad.js";

/**
 * `tokens`: tokens of the text, special ones included, without padding. Throws bad_output for an output that is no list
 * of vectors (or, without pooling, no vector).
 */
export function pooled(output: OutputTensor, tokens: number, spec: TextSpec): Float64Array {
  const { pooling, normalize } = spec;
  const values = readFloats(output);
  const vector = pooling === "none" ? alone(output, values) : overTokens(output, values, tokens, spec);
  return normalize ? unit(vector) : vector;
}

function alone({ shape }: OutputTensor, values: Float64Array): Float64Array {
  if (shape.length === 1) return values;
  throw wrong(shape, "one vector per text, as sconce.text.pooling is none");
}

function overTokens({ shape }: OutputTensor, values: Float64Array, tokens: number, spec: TextSpec): Float64Array {
  const [length = 0, width = 0] = shape;
  if (shape.length !== 2 || length < tokens) {
    throw wrong(shape, `a vector for each token; sconce.text.pooling: none is for models that pool themselves`);
  }
  const own = values.subarray(firstToken(length, tokens, spec) * width);
  if (spec.pooling === "cls") return own.slice(0, width);
  const mean = new Float64Array(width);
  for (let token = 0; token < tokens; token++) {
    for (let at = 0; at < width; at++) mean[at] = (mean[at] ?? 0) + (own[token * width + at] ?? 0);
  }
  return mean.map((sum) => sum / tokens);
}

/** Shorter ones than this are left as they are (divided by it), as torch.nn.functional.normalize does. */
const leastNorm = 1e-12;

function unit(vector: Float64Array): Float64Array {
  const norm = Math.max(Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)), leastNorm);
  return vector.map((value) => value / norm);
}

function wrong(shape: readonly number[], expected: string): ServerError {
  return new ServerError(
    "bad_output",
    `The model's output has shape [${shape.join(", ")}] for a text; expected ${expected}.`,
  );
}
