import { expect, test } from "vitest";
import { readFloats } from "../../../src/handlers/tensor-read.js";
import type { DType } from "../../../src/types.js";

function read(dtype: DType, bytes: ArrayBufferView): number[] {
  return Array.from(
    readFloats({ dtype, shape: [], data: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) }),
  );
}

test("every dtype reads back", () => {
  expect(read("bool", Uint8Array.of(0, 1))).toEqual([0, 1]);
  expect(read("uint8", Uint8Array.of(255))).toEqual([255]);
  expect(read("int8", Int8Array.of(-128))).toEqual([-128]);
  expect(read("int16", Int16Array.of(-32768))).toEqual([-32768]);
  expect(read("int32", Int32Array.of(-5))).toEqual([-5]);
  expect(read("int64", BigInt64Array.of(-7n))).toEqual([-7]);
  expect(read("float32", Float32Array.of(1.5, Infinity))).toEqual([1.5, Infinity]);
  expect(read("float64", Float64Array.of(0.1))).toEqual([0.1]);
  expect(read("bfloat16", Uint16Array.of(0x3fc0, 0xc000))).toEqual([1.5, -2]);
  expect(read("float16", Uint16Array.of(0x3e00, 0xc000, 0x0001, 0x7c00, 0x7e00))).toEqual([
    1.5,
    -2,
    2 ** -24,
    Infinity,
    NaN,
  ]);
});

test("a broken length is an error of the output", () => {
  expect(() => read("float32", Uint8Array.of(1, 2, 3))).toThrow("whole number of elements");
});
