/** The frame's layout, byte for byte; that native code reads it is test/contract's. */
import { expect, test } from "vitest";
import { readFrame } from "../../../src/engine/fake-frame.js";
import type { TensorIn } from "../../../src/handlers/handler.js";
import { packRows, packTensors } from "../../../src/handlers/tensor-frame.js";

const ids: TensorIn = { name: "ids", dtype: "int64", shape: [2], data: new Uint8Array(16).fill(7) };
const mask: TensorIn = { name: "mäsk", dtype: "bool", shape: [1, 2], data: Uint8Array.of(1, 0) };

test("a frame of two tensors", () => {
  const frame = packTensors([ids, mask]);
  const view = new DataView(frame.buffer);
  const words = Array.from({ length: 10 }, (_, i) => view.getUint32(i * 4, true));
  // header; then dtype 5, rank 1, a name of 3 bytes, 0 of the first entry
  expect(words).toEqual([0x46544353, 1, 1, 2, 24 + 40 + 48, 0, 5, 1, 3, 0]);
  expect(Buffer.from(frame.subarray(56, 64)).toString()).toBe("ids\0\0\0\0\0");
  expect(view.getUint32(64, true)).toBe(0);
  expect(view.getBigInt64(88, true)).toBe(1n);
  expect(view.getBigInt64(96, true)).toBe(2n);
  expect(frame.length).toBe(192 + 2);
  expect(Array.from(frame.subarray(128, 144))).toEqual(Array.from(ids.data));
  expect(Array.from(frame.subarray(192))).toEqual([1, 0]);
});

test("what was packed is read back", () => {
  const read = readFrame(packRows([[ids], [{ ...ids, shape: [1], data: ids.data.subarray(8) }]]));
  expect(read).toEqual([
    [{ name: "ids", index: 0, dtype: 5, shape: [2], data: ids.data }],
    [{ name: "ids", index: 0, dtype: 5, shape: [1], data: ids.data.subarray(8) }],
  ]);
  expect(readFrame(packTensors([{ dtype: "float32", shape: [], data: new Uint8Array(4) }]))?.[0]?.[0]).toMatchObject({
    name: "",
    shape: [],
  });
  expect(readFrame(new Uint8Array(5))).toBeUndefined();
});

test.each([
  ["257 tensors", Array.from({ length: 257 }, () => ids), "makes 257 tensors, more than 256"],
  ["17 dimensions", [{ ...ids, shape: Array.from({ length: 17 }, () => 1) }], 'tensor "ids" 17 dimensions'],
  ["a long name", [{ ...ids, name: "n".repeat(257) }], "a name of 257 bytes, more than 256"],
  ["half a size", [{ ...ids, shape: [0.5] }], 'tensor "ids" the shape [0.5], which is none'],
  ["no size", [{ ...ids, shape: [NaN] }], "which is none"],
  ["too few bytes", [{ ...ids, shape: [3] }], 'tensor "ids" (int64, [3]) 16 bytes where it takes 24'],
  ["another dtype", [{ ...ids, dtype: "complex64" as "int64" }], 'unknown dtype "complex64"'],
] as const)("refuses %s", (_case, tensors, words) => {
  expect(() => packTensors(tensors)).toThrow(words);
});

test("samples with different tensors are refused", () => {
  expect(() => packRows([[ids], [ids, mask]])).toThrow("different numbers of tensors");
});
