import { expect, test } from "vitest";
import { readBatches } from "../../../src/engine/batches.js";

test("packed batches come apart, each with its model's name and the waits of its requests", () => {
  const asked: number[] = [];
  const nameOf = (tag: number): string => {
    asked.push(tag);
    return `m${tag}/1.0`;
  };
  const packed = Float64Array.of(9, 1, 100, 2.5, 0.5, 2, 7, 8, 2, 101, 3, 0, 0, 1, 102, 1, 0, 1, 4);
  expect(readBatches(packed, nameOf)).toEqual({
    leftOut: 9,
    batches: [
      { name: "m1", at: 100, runMs: 2.5, outsideMs: 0.5, waitsMs: [7, 8] },
      { name: "m2", at: 101, runMs: 3, outsideMs: 0, waitsMs: [] },
      { name: "m1", at: 102, runMs: 1, outsideMs: 0, waitsMs: [4] },
    ],
  });
  expect(asked).toEqual([1, 2]);
  expect(readBatches(Float64Array.of(0), nameOf)).toEqual({ leftOut: 0, batches: [] });
});
