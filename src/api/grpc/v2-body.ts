/**
 * ModelInfer's messages ↔ the protocol's bodies as the engine reads and writes them: JSON and the tensors' bytes behind it.
 * Pure.
 */

import { ServerError } from "../../errors.js";
import { maxV2Json } from "../../inference/call.js";
import { noSharedMemory } from "../../inference/triton.js";
import { readAnswer } from "../../inference/v2-answer.js";
import type { Contents, InferRequest, InferResponse, InputTensor, Int64, OutputTensor } from "./v2-messages.js";

/** Parameters of a tensor that ask for what would be missed, in the words of native/codec/v2_decode.cc. */
const unsupported = [
  ["classification", 'the parameter "classification" is not supported'],
  ["shared_memory_region", noSharedMemory],
] as const;

export interface V2Body {
  readonly jsonBytes: number;
  readonly bytes: Uint8Array;
}

/** Every output is asked for as bytes. Throws bad_request. */
export function bodyOf({ id, inputs, outputs, raw_input_contents: raw }: InferRequest): V2Body {
  for (const { parameters } of [...inputs, ...outputs]) {
    for (const [name, words] of unsupported) if (name in parameters) throw bad(words);
  }
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw bad(`raw_input_contents has ${raw.length} entries for ${inputs.length} inputs: one for each, or none.`);
  }
  const blobs = inputs.map((input, index) => raw[index] ?? bytesOf(input));
  const head = {
    ...(id === "" ? {} : { id }),
    parameters: { binary_data_output: true },
    inputs: inputs.map(({ name, datatype, shape }, index) => {
      const parameters = { binary_data_size: blobs[index]?.length };
      return { name, datatype, shape: shape.map((size) => sizeOf(size, name)), parameters };
    }),
    outputs: outputs.map(({ name }) => ({ name })),
  };
  const json = Buffer.from(JSON.stringify(head));
  if (json.length > maxV2Json) throw bad(`Names and shapes take ${json.length} bytes, more than ${maxV2Json}.`);
  return { jsonBytes: json.length, bytes: Buffer.concat([json, ...blobs]) };
}

/** `answer`: what the engine wrote. */
export function responseOf(answer: Uint8Array): InferResponse {
  const { jsonBytes, body } = readAnswer(answer);
  const bytes = body as Uint8Array;
  const end = jsonBytes ?? bytes.length;
  const told = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString()) as Told;
  let at = end;
  const raw = told.outputs.map(({ parameters }) => {
    const from = at;
    at += parameters?.binary_data_size ?? 0;
    return bytes.subarray(from, at);
  });
  return {
    model_name: told.model_name,
    model_version: told.model_version,
    id: told.id ?? "",
    outputs: told.outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: raw,
  };
}

interface Told {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly outputs: readonly (OutputTensor & { readonly parameters?: { readonly binary_data_size: number } })[];
}

const high = 0x1_0000_0000;

/** Beyond 2^53 it is no dimension that any tensor has, and rounding does not make it one. */
function toNumber(value: Int64 | number): number {
  return typeof value === "number" ? value : value.high * high + (value.low >>> 0);
}

function sizeOf(value: Int64 | number, name: string): number {
  const size = toNumber(value);
  if (size >= 0) return size;
  throw bad(`Input ${JSON.stringify(name)}: its shape has ${size}; send the sizes that the tensor has.`);
}

/** How a datatype's elements stand in `contents`, as bytes. */
type Form = (contents: Contents, name: string) => ArrayBufferView;
const forms: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["BOOL", ({ bool_contents: all }) => Uint8Array.from(all, Number)],
  ["UINT8", ({ uint_contents: all }, name) => whole(Uint8Array.from(all), all, name)],
  ["INT8", ({ int_contents: all }, name) => whole(Int8Array.from(all), all, name)],
  ["INT16", ({ int_contents: all }, name) => whole(Int16Array.from(all), all, name)],
  ["INT32", ({ int_contents: all }) => Int32Array.from(all)],
  ["INT64", ({ int64_contents: all }) => Int32Array.from(all.flatMap(({ low, high: top }) => [low, top]))],
  ["FP32", ({ fp32_contents: all }) => Float32Array.from(all)],
  ["FP64", ({ fp64_contents: all }) => Float64Array.from(all)],
]);

function bytesOf({ name, datatype, contents }: InputTensor): Uint8Array {
  const form = forms.get(datatype);
  if (form === undefined) {
    throw bad(
      `Input ${JSON.stringify(name)}: ${JSON.stringify(datatype)} has no form in contents, see raw_input_contents.`,
    );
  }
  if (contents === null) return new Uint8Array();
  const elements = form(contents, name);
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

/** A number that its type cannot hold would become another one. */
function whole<T extends ArrayLike<number> & ArrayBufferView>(made: T, from: readonly number[], name: string): T {
  const wrong = from.findIndex((value, index) => value !== made[index]);
  if (wrong < 0) return made;
  throw bad(`Input ${JSON.stringify(name)}: element ${wrong} is ${from[wrong]}, which its datatype does not hold.`);
}

function bad(message: string): ServerError {
  return new ServerError("bad_request", message);
}
