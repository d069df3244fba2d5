import { expect, test } from "vitest";
import { objectDetector } from "../../../../src/handlers/builtin/object-detector.js";
import type { OutputTensor } from "../../../../src/handlers/handler.js";
import { PictureDecoder } from "../../../../src/handlers/picture.js";
import { answerOf, floats, textRequest } from "../text/spec.js";

const context = { maxImagePixels: 100, maxRequestSize: 1000, decodeParallelism: 1 };
const spec = { name: "object_detector", topK: 5, threshold: 0.5, labels: { "1": 'a "cat"' } };
const detector = objectDetector(spec, context, new PictureDecoder(context));
const labels = (values: readonly number[]): OutputTensor => ({
  dtype: "int64",
  shape: [values.length],
  data: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
});
const answer = (...outputs: readonly OutputTensor[]): unknown =>
  JSON.parse(answerOf(detector, outputs, textRequest(""))) as unknown;

test("objects of at least the threshold, in the model's order, whatever order the outputs have", () => {
  const boxes = floats([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [3, 4]);
  const scores = floats([0.5, 0.25, 1], [3]);
  const want = [
    { 'a "cat"': [1, 2, 3, 4], score: 0.5 },
    { "7": [9, 10, 11, 12], score: 1 },
  ];
  expect(answer(boxes, labels([1, 1, 7]), scores)).toEqual(want);
  expect(answer(scores, boxes, labels([1, 1, 7]))).toEqual(want);
});

test("nothing found, scores that are no numbers, and outputs of other shapes", () => {
  expect(answer(floats([], [0, 4]), labels([]), floats([], [0]))).toEqual([]);
  expect(answer(floats([1, 2, 3, 4], [1, 4]), labels([1]), floats([NaN], [1]))).toEqual([]);
  expect(() => answer(floats([1, 2], [2]), labels([1, 2]))).toThrow("got float32 [2], int64 [2]");
});
