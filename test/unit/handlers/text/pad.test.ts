import { expect, test } from "vitest";
import { bucketOf, padded } from "../../../../src/handlers/text/pad.js";
import { textSpec } from "./spec.js";

test("buckets", () => {
  expect([1, 16, 17, 64, 70].map((length) => bucketOf(length, [16, 32, 64]))).toEqual([16, 16, 32, 64, 64]);
});

test("inputs by their roles and dtypes, as long as the longest text's bucket", () => {
  const spec = textSpec({
    padId: 9,
    padTypeId: 2,
    buckets: [2, 4],
    inputs: [
      { name: "ids", role: "ids", dtype: "int64" },
      { name: "mask", role: "mask", dtype: "bool" },
      { name: "types", role: "types", dtype: "int32" },
      { name: "weights", role: "mask", dtype: "float32" },
    ],
  });
  const [short, long] = padded(
    [
      { ids: [5], typeIds: [1] },
      { ids: [5, 6, 7], typeIds: [0, 0, 1] },
    ],
    spec,
  );
  const [ids, mask, types, weights] = short!;
  expect(ids).toMatchObject({ name: "ids", dtype: "int64", shape: [4] });
  expect(Array.from(new BigInt64Array(ids!.data.buffer))).toEqual([5n, 9n, 9n, 9n]);
  expect(Array.from(mask!.data)).toEqual([1, 0, 0, 0]);
  expect(Array.from(new Int32Array(types!.data.buffer))).toEqual([1, 2, 2, 2]);
  expect(Array.from(new Float32Array(weights!.data.buffer))).toEqual([1, 0, 0, 0]);
  expect(Array.from(new BigInt64Array(long![0]!.data.buffer))).toEqual([5n, 6n, 7n, 9n]);
  expect(padded([{ ids: [5, 6], typeIds: [0, 0] }], spec)[0]![0]!.shape).toEqual([2]);
});

test("padding before the text, as tokenizers for Python put it", () => {
  const inputs = [
    { name: "ids", role: "ids", dtype: "int64" },
    { name: "mask", role: "mask", dtype: "bool" },
    { name: "types", role: "types", dtype: "int32" },
  ] as const;
  const spec = textSpec({ padId: 9, padTypeId: 2, padAt: "left", buckets: [4], inputs });
  const [[ids, mask, types] = []] = padded([{ ids: [5, 6, 7], typeIds: [0, 0, 1] }], spec);
  expect(Array.from(new BigInt64Array(ids!.data.buffer))).toEqual([9n, 5n, 6n, 7n]);
  expect(Array.from(mask!.data)).toEqual([0, 1, 1, 1]);
  expect(Array.from(new Int32Array(types!.data.buffer))).toEqual([2, 0, 0, 1]);
});
