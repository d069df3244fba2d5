/**
 * Writes the frame in which handlers hand tensors to the engine (`InputFormat.tensors`); its layout is in
 * native/codec/tensor_frame.h, which also checks that they are what the model declares. Pure.
 */

import { ServerError } from "../errors.js";
import { dtypes } from "../types.js";
import type { TensorIn } from "./handler.js";

/** Tensors of one sample. */
export const maxFrameTensors = 256;
/** As the codec's. */
export const maxFrameDims = 16;
export const maxFrameNameBytes = 256;

const magic = 0x46544353; // "SCTF", little-endian
const version = 1;
const headerBytes = 24;
const entryBytes = 24;
const nameAlign = 8;
const dataAlign = 64;

const utf8 = new TextEncoder();
const noName = new Uint8Array(0);

/**
 * One sample. Throws ServerError bad_request for too many tensors or dimensions, or data whose length is not the
 * shape's.
 */
export function packTensors(tensors: readonly TensorIn[]): Uint8Array<ArrayBuffer> {
  return packRows([tensors]);
}

/** Several samples in one request, each with the same inputs; it is answered with one set of outputs for each. */
export function packRows(rows: readonly (readonly TensorIn[])[]): Uint8Array<ArrayBuffer> {
  const perRow = rows[0]?.length ?? 0;
  if (perRow > maxFrameTensors) throw bad(`makes ${perRow} tensors, more than ${maxFrameTensors}`);
  if (rows.some((row) => row.length !== perRow)) throw bad("gives the samples different numbers of tensors");
  const tensors = rows.flat();
  const names = tensors.map(({ name }) => (name === undefined ? noName : utf8.encode(name)));
  tensors.forEach((tensor, i) => check(tensor, i % perRow, names[i] ?? noName));
  const headBytes = tensors.reduce((at, tensor, i) => at + entryLength(tensor, names[i] ?? noName), headerBytes);
  const size = tensors.reduce((at, { data }) => alignUp(at, dataAlign) + data.length, headBytes);
  const frame = new Uint8Array(size);
  const view = new DataView(frame.buffer);
  writeHeader(view, rows.length, perRow, headBytes);
  let at = headerBytes;
  let end = headBytes;
  tensors.forEach((tensor, i) => {
    const name = names[i] ?? noName;
    writeEntry(view, at, tensor, name);
    frame.set(name, at + entryBytes + tensor.shape.length * 8);
    at += entryLength(tensor, name);
    frame.set(tensor.data, alignUp(end, dataAlign));
    end = alignUp(end, dataAlign) + tensor.data.length;
  });
  return frame;
}

/** Bytes of one element. */
export const elementBytes: Readonly<Record<TensorIn["dtype"], number>> = {
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

function alignUp(at: number, align: number): number {
  return Math.ceil(at / align) * align;
}

function entryLength({ shape }: TensorIn, name: Uint8Array): number {
  return alignUp(entryBytes + shape.length * 8 + name.length, nameAlign);
}

function writeHeader(view: DataView, rows: number, perRow: number, headBytes: number): void {
  view.setUint32(0, magic, true);
  view.setUint32(4, version, true);
  view.setUint32(8, rows, true);
  view.setUint32(12, perRow, true);
  view.setBigUint64(16, BigInt(headBytes), true);
}

function writeEntry(view: DataView, at: number, { dtype, shape, data }: TensorIn, name: Uint8Array): void {
  view.setUint32(at, dtypes.indexOf(dtype), true);
  view.setUint32(at + 4, shape.length, true);
  view.setUint32(at + 8, name.length, true);
  view.setBigUint64(at + 16, BigInt(data.length), true);
  shape.forEach((size, i) => view.setBigInt64(at + entryBytes + i * 8, BigInt(size), true));
}

/** Handlers of any author come here, so their tensors are held to what the type says. */
function check({ dtype, shape, data, name }: TensorIn, index: number, nameBytes: Uint8Array): void {
  const what = name === undefined ? `tensor ${index}` : `tensor ${JSON.stringify(name.slice(0, 64))}`;
  const bytes = elementBytes[dtype] as number | undefined;
  if (bytes === undefined) throw bad(`gives ${what} an unknown dtype ${JSON.stringify(dtype)}`);
  if (shape.length > maxFrameDims) throw bad(`gives ${what} ${shape.length} dimensions, more than ${maxFrameDims}`);
  if (nameBytes.length > maxFrameNameBytes) {
    throw bad(`gives ${what} a name of ${nameBytes.length} bytes, more than ${maxFrameNameBytes}`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw bad(`gives ${what} the shape ${JSON.stringify(shape)}, which is none`);
  }
  const expected = shape.reduce((product, size) => product * size, bytes);
  if (data.length !== expected) {
    throw bad(`gives ${what} (${dtype}, ${JSON.stringify(shape)}) ${data.length} bytes where it takes ${expected}`);
  }
}

function bad(what: string): ServerError {
  return new ServerError("bad_request", `The handler ${what}.`);
}
