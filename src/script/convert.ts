/** What hooks return → what the engine and the client get, and the engine's outputs → tensors. Pure. */
import { types } from "node:util";
import type { TensorOut } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { Answer, HandlerError, OutputTensor, Tensor, TensorData } from "../handlers/define.js";
import type { TensorIn } from "../handlers/handler.js";
import { packRows } from "../handlers/tensor-frame.js";
import type { DType } from "../types.js";
import type { FromHandler } from "./messages.js";

/** A frame of handlers/tensor-frame.ts. Throws ServerError handler_failed or bad_request: what the hook gave instead. */
export function frameOf(made: unknown): Uint8Array<ArrayBuffer> {
  return packRows(rowsOf(made));
}

/** One list of tensors for each sample. Throws ServerError handler_failed. */
export function rowsOf(made: unknown): readonly (readonly TensorIn[])[] {
  if (isTensor(made)) return [[tensorIn(made)]];
  if (Array.isArray(made)) return [made.map((each) => tensorIn(each))];
  if (typeof made !== "object" || made === null) throw notInput(made);
  if ("rows" in made) {
    const { rows } = made;
    if (!Array.isArray(rows) || !rows.every(Array.isArray) || rows.length === 0) throw notInput(made);
    return (rows as unknown[][]).map((row) => row.map((each) => tensorIn(each)));
  }
  const named = Object.entries(made as Readonly<Record<string, unknown>>);
  if (named.length === 0) throw notInput(made);
  return [named.map(([name, each]) => ({ ...tensorIn(each), name }))];
}

function isTensor(made: unknown): made is Tensor {
  return typeof made === "object" && made !== null && "dtype" in made && "data" in made;
}

function notInput(made: unknown): ServerError {
  const what = made === null ? "null" : Array.isArray(made) ? "a list" : typeof made;
  return new ServerError(
    "handler_failed",
    `The handler's preprocess gave ${what}; expected a tensor, a list of tensors, { rows } or tensors by name.`,
  );
}

function tensorIn(made: unknown): TensorIn {
  if (!isTensor(made) || !Array.isArray(made.shape) || !types.isTypedArray(made.data)) throw notInput(made);
  const { name, dtype, shape, data } = made;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dtype, shape, data: bytes, ...(name === undefined ? {} : { name }) };
}

type Maker = new (buffer: ArrayBuffer, offset: number, length: number) => TensorData;

const arrays: Readonly<Record<DType, Maker>> = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};
const elementBytes: Readonly<Record<DType, number>> = {
  bool: 1,
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  bfloat16: 2,
  float32: 4,
  float64: 8,
};

/** Views of the engine's answer, copied only where its place does not suit the numbers' size. */
export function outputsOf(
  body: ArrayBuffer,
  tensors: readonly TensorOut[],
  names: readonly string[],
): readonly OutputTensor[] {
  return tensors.map(({ dtype, shape, offset, bytes }, i) => {
    const size = elementBytes[dtype];
    const fits = offset % size === 0;
    const data = fits
      ? new arrays[dtype](body, offset, bytes / size)
      : new arrays[dtype](body.slice(offset, offset + bytes), 0, bytes / size);
    return { name: names.length === tensors.length ? (names[i] ?? "") : `output_${i}`, dtype, shape, data };
  });
}

/** Throws ServerError handler_failed for what can be no answer. */
export function answerOf(ask: number, made: unknown): FromHandler {
  if (!isAnswer(made)) return { ask, ...bodyOf(made) };
  const { status, contentType, headers } = made;
  const { body, contentType: usual } = textOf(made.body);
  return { ask, body, status, contentType: contentType ?? usual, headers: Object.entries(headers) };
}

/** The class is bundled into the handler, so `instanceof` knows nothing of it. */
export function isAnswer(made: unknown): made is Answer {
  return typeof made === "object" && made !== null && (made as Partial<Answer>).kind === "sconce.Answer";
}

/** What a handler threw, or an Error in its place where even asking what it is throws (a revoked Proxy). */
export function lookable(thrown: unknown): unknown {
  try {
    Object.getPrototypeOf(Object(thrown));
    return thrown;
  } catch {
    return new Error("The handler threw a value that cannot be looked at.");
  }
}

/** As above. */
export function isHandlerError(error: unknown): error is HandlerError {
  return error instanceof Error && (error as Partial<HandlerError>).kind === "sconce.HandlerError";
}

/** Of an answer without a type: text is text there, JSON elsewhere. */
function textOf(body: unknown): { readonly body: string | Uint8Array; readonly contentType?: string } {
  return typeof body === "string" ? { body, contentType: "text/plain; charset=utf-8" } : bodyOf(body);
}

export function bodyOf(made: unknown): { readonly body: string | Uint8Array } {
  if (made instanceof Uint8Array) return { body: made };
  let text: unknown;
  try {
    text = JSON.stringify(made, numbers);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError("handler_failed", `The handler's answer cannot be written as JSON: ${why}`, { cause });
  }
  // What JSON has no word for, such as undefined, becomes undefined, whatever the type says.
  if (typeof text === "string") return { body: text };
  throw new ServerError("handler_failed", `The handler's postprocess gave ${typeof made}, which is no answer.`);
}

/** Typed arrays as lists, int64 as numbers, and what JSON has no word for as text, as the engine writes it. */
function numbers(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (types.isTypedArray(value)) return Array.from(value as ArrayLike<unknown>);
  return value;
}
