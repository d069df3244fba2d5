import { describe, expect, test } from "vitest";
import { Answer, defineHandler, HandlerError, tensor } from "../../../src/handlers/define.js";

describe("tensor", () => {
  test("has its array's dtype, or the one that is said", () => {
    const dtypes = [
      new Float32Array(1),
      new Float64Array(1),
      new BigInt64Array(1),
      new Int32Array(1),
      new Int16Array(1),
      new Int8Array(1),
      new Uint8Array(1),
    ].map((data) => tensor(data, [1]).dtype);
    expect(dtypes).toEqual(["float32", "float64", "int64", "int32", "int16", "int8", "uint8"]);
    expect(tensor(new Uint8Array(1), [1], { dtype: "bool", name: "mask" })).toMatchObject({
      dtype: "bool",
      name: "mask",
    });
  });

  test("sixteen bits can be several types, so it has to be said which", () => {
    expect(() => tensor(new Uint16Array(1), [1])).toThrow(/dtype of this array has to be said/);
    expect(tensor(new Uint16Array(1), [1], { dtype: "bfloat16" }).dtype).toBe("bfloat16");
  });
});

test("an answer is 200 unless it says otherwise, a refusal is an error", () => {
  expect(new Answer("x")).toMatchObject({ body: "x", status: 200, headers: {} });
  expect(new HandlerError(409, "no")).toMatchObject({ status: 409, message: "no" });
  const handler = { postprocess: () => 1 };
  expect(defineHandler(handler)).toBe(handler);
});

test("a tensor's type has its dtype and shape", () => {
  const scores = tensor(new Float32Array(2), [1, 2]) satisfies { dtype: "float32"; shape: readonly [1, 2] };
  const mask = tensor(new Uint8Array(2), [2], { dtype: "bool" }) satisfies { dtype: "bool"; data: Uint8Array };
  // @ts-expect-error: it has two numbers
  const wrong = scores satisfies { shape: readonly [1, 3] };
  expect([scores.dtype, mask.dtype, wrong]).toEqual(["float32", "bool", scores]);
});
