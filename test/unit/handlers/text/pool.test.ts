import { describe, expect, test } from "vitest";
import { pooled } from "../../../../src/handlers/text/pool.js";
import { textSpec } from "./spec.js";

const output = (values: readonly number[], shape: readonly number[]) => ({
  dtype: "float32" as const,
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const tokens = output([1, 2, 3, 6, 100, 100], [3, 2]); // the third one is padding, or the first

describe("pooling", () => {
  test.each([
    ["mean", [2, 4]],
    ["cls", [1, 2]],
  ] as const)("%s, without padding", (pooling, expected) => {
    expect(Array.from(pooled(tokens, 2, textSpec({ pooling, normalize: false })))).toEqual(expected);
  });

  test.each([
    ["mean", [51.5, 53]],
    ["cls", [3, 6]],
  ] as const)("%s, with the padding before the text", (pooling, expected) => {
    expect(Array.from(pooled(tokens, 2, textSpec({ pooling, normalize: false, padAt: "left" })))).toEqual(expected);
  });

  test("to length 1, and a vector of zeros stays one", () => {
    expect(Array.from(pooled(output([3, 4], [1, 2]), 1, textSpec()))).toEqual([0.6, 0.8]);
    expect(Array.from(pooled(output([0, 0], [1, 2]), 1, textSpec()))).toEqual([0, 0]);
    expect(Array.from(pooled(output([3, 4], [2]), 9, textSpec({ pooling: "none" })))).toEqual([0.6, 0.8]);
  });

  test.each([
    ["mean", output([1, 2], [2])],
    ["cls", output([1, 2], [1, 2])],
    ["none", tokens],
  ] as const)("%s refuses an output of another shape", (pooling, other) => {
    expect(() => pooled(other, 2, textSpec({ pooling }))).toThrow(/has shape \[[\d, ]+\] for a text; expected/u);
  });
});
