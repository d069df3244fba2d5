/** Reads an output tensor's numbers for handlers that compute on them. Pure. */

import { ServerError } from "../errors.js";
import type { OutputTensor } from "./handler.js";
import { elementBytes } from "./tensor-frame.js";

/** All elements as doubles; int64 beyond 2^53 is rounded. Throws bad_output on a length that is no whole number of elements. */
export function readFloats(tensor: OutputTensor): Float64Array {
  const bytes = elementBytes[tensor.dtype];
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  if (view.byteLength % bytes !== 0) {
    throw new ServerError(
      "bad_output",
      `A ${tensor.dtype} output of ${view.byteLength} bytes has no whole number of elements.`,
    );
  }
  const read = readers[tensor.dtype];
  const numbers = new Float64Array(view.byteLength / bytes);
  for (let index = 0; index < numbers.length; index++) numbers[index] = read(view, index * bytes);
  return numbers;
}

type Reader = (view: DataView, at: number) => number;

const readers: Readonly<Record<OutputTensor["dtype"], Reader>> = {
  bool: (view, at) => view.getUint8(at),
  uint8: (view, at) => view.getUint8(at),
  int8: (view, at) => view.getInt8(at),
  int16: (view, at) => view.getInt16(at, true),
  int32: (view, at) => view.getInt32(at, true),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  float16: (view, at) => half(view.getUint16(at, true)),
  bfloat16: (view, at) => brain(view.getUint16(at, true)),
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
};

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a binary32. */
function brain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
