/**
 * A picture in, the class of each pixel out: rows of [class, probability], as TorchServe's image_segmenter gives them. The
 * model's first output has a score per class and pixel ([classes, height, width]; torchvision's models call it "out" and
 * give it first); probabilities are the softmax over the classes.
 */

import { ServerError } from "../../errors.js";
import type { HandlerSpec } from "../../types.js";
import type { Handler, HandlerContext, OutputTensor } from "../handler.js";
import type { PictureDecoder } from "../picture.js";
import { pictureHandler } from "./pictures.js";
import { readFloats } from "../tensor-read.js";

/** Pixels of one answer; each takes about 15 bytes of JSON. */
export const maxSegmentedPixels = 2 ** 22;
/** Probabilities are rounded to steps finer than those of the float32 that TorchServe has. */
const steps = 1e8;

export function imageSegmenter(spec: HandlerSpec, context: HandlerContext, decoder: PictureDecoder): Handler {
  return pictureHandler("image_segmenter", spec, context, decoder, segments);
}

function segments(outputs: readonly OutputTensor[]): string {
  const shape = outputs[0]?.shape ?? [];
  const [classes = 0, height = 0, width = 0] = shape;
  if (outputs[0] === undefined || shape.length !== 3 || classes === 0) {
    throw new ServerError(
      "bad_output",
      `The model's first output has shape [${shape.join(", ")}] for a picture; image_segmenter expected [classes, height, width].`,
    );
  }
  if (width * height > maxSegmentedPixels) {
    throw new ServerError(
      "bad_output",
      `The model's output has ${width}×${height} pixels, more than the ${maxSegmentedPixels} that image_segmenter writes.`,
    );
  }
  const scores = readFloats(outputs[0]);
  const rows = Array.from({ length: height }, (_, y) => {
    const pixels = Array.from({ length: width }, (_each, x) =>
      pixelText(scores, y * width + x, width * height, classes),
    );
    return `[${pixels.join(",")}]`;
  });
  return `[${rows.join(",\n")}]`;
}

/** The scores of a pixel are `plane` apart. */
function pixelText(scores: Float64Array, pixel: number, plane: number, classes: number): string {
  let best = 0;
  let largest = scores[pixel] ?? 0;
  for (let k = 1; k < classes; k++) {
    const score = scores[k * plane + pixel] ?? 0;
    if (score > largest) [best, largest] = [k, score];
  }
  let sum = 0;
  for (let k = 0; k < classes; k++) sum += Math.exp((scores[k * plane + pixel] ?? 0) - largest);
  const probability = 1 / sum;
  // As in PyTorch, where one score that is no number makes all probabilities that.
  return Number.isFinite(probability) ? `[${best},${Math.round(probability * steps) / steps}]` : `[0,"NaN"]`;
}
