import { expect, test } from "vitest";
import { imageSegmenter } from "../../../../src/handlers/builtin/image-segmenter.js";
import { PictureDecoder } from "../../../../src/handlers/picture.js";
import { answerOf, textRequest } from "../text/spec.js";

const context = { maxImagePixels: 100, maxRequestSize: 1 << 20, decodeParallelism: 1 };
const handler = imageSegmenter({ name: "image_segmenter", topK: 5 }, context, new PictureDecoder(context));
const request = textRequest("");

function answer(shape: readonly number[], ...values: readonly number[]): unknown {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return JSON.parse(answerOf(handler, [{ dtype: "float32", shape, data }], request));
}

test("the most probable class of each pixel; the first of equal ones", () => {
  // Two classes, one row of three pixels.
  expect(answer([2, 1, 3], 0, Math.log(3), 0, 0, 0, Math.log(4))).toEqual([
    [
      [0, 0.5],
      [0, 0.75],
      [1, 0.8],
    ],
  ]);
  expect(answer([1, 2, 1], 1000, -1000)).toEqual([[[0, 1]], [[0, 1]]]);
  expect(answer([2, 1, 1], 0, NaN)).toEqual([[[0, "NaN"]]]);
});

test("outputs that are no scores per pixel", () => {
  expect(() => answer([2, 3], 1, 2, 3, 4, 5, 6)).toThrow("[2, 3]");
  expect(() => answer([0, 1, 1])).toThrow("[classes, height, width]");
  expect(() => handler.post?.([], request)).toThrow("image_segmenter");
  expect(() => answer([1, 4096, 1025])).toThrow("4194304");
});
