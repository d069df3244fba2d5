/** Token ids → a model's inputs of one length. Pure. */

import type { DType, TextInput, TextSpec } from "../../types.js";
import type { TensorIn } from "../handler.js";

/** What a tokenizer made of one text, special tokens included. */
export interface Tokens {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
}

/** The shortest bucket that holds `length` tokens. The last one holds what a tokenizer may give (`maxLength`). */
export function bucketOf(length: number, buckets: readonly number[]): number {
  return buckets.find((each) => each >= length) ?? buckets.at(-1) ?? length;
}

/** One row of inputs for each text, all of the length of the longest one's bucket. */
export function padded(texts: readonly Tokens[], spec: TextSpec): readonly (readonly TensorIn[])[] {
  const longest = texts.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  const length = bucketOf(longest, spec.buckets);
  return texts.map((tokens) => spec.inputs.map((input) => tensorOf(input, tokens, spec, length)));
}

/** Where a text of `tokens` tokens begins in `length` places, of the model's inputs and of what it gives for each. */
export function firstToken(length: number, tokens: number, { padAt }: Pick<TextSpec, "padAt">): number {
  return padAt === "left" ? length - tokens : 0;
}

function tensorOf({ name, role, dtype }: TextInput, tokens: Tokens, spec: TextSpec, length: number): TensorIn {
  const { ids, typeIds } = tokens;
  const first = firstToken(length, ids.length, spec);
  const value = (place: number): number => {
    const at = place - first;
    const inside = at >= 0 && at < ids.length;
    if (role === "mask") return inside ? 1 : 0;
    if (role === "types") return inside ? (typeIds[at] ?? 0) : spec.padTypeId;
    return inside ? (ids[at] ?? 0) : spec.padId;
  };
  return { name, dtype, shape: [length], data: bytesOf(dtype, length, value) };
}

function bytesOf(dtype: DType, length: number, value: (at: number) => number): Uint8Array {
  if (dtype === "int64") {
    const out = new BigInt64Array(length);
    for (let at = 0; at < length; at++) out[at] = BigInt(value(at));
    return new Uint8Array(out.buffer);
  }
  if (dtype === "float32") return new Uint8Array(Float32Array.from({ length }, (_, at) => value(at)).buffer);
  if (dtype === "bool") return Uint8Array.from({ length }, (_, at) => value(at));
  return new Uint8Array(Int32Array.from({ length }, (_, at) => value(at)).buffer);
}
