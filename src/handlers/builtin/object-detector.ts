/**
 * A picture in, a list of objects out, as TorchServe's object_detector answers: {label: [x1, y1, x2, y2], "score": s}, for
 * scores of at least the threshold, in the model's order. The model gives, for a picture, boxes [objects, 4], labels [objects]
 * (whole numbers) and scores [objects]; which is which is told by shape and dtype. Box coordinates are the model's: pixels of
 * what it was given.
 */

import { ServerError } from "../../errors.js";
import type { DType, HandlerSpec } from "../../types.js";
import type { Handler, HandlerContext, OutputTensor } from "../handler.js";
import type { PictureDecoder } from "../picture.js";
import { pictureHandler } from "./pictures.js";
import { readFloats } from "../tensor-read.js";

const floats: readonly DType[] = ["float16", "bfloat16", "float32", "float64"];

export function objectDetector(spec: HandlerSpec, context: HandlerContext, decoder: PictureDecoder): Handler {
  return pictureHandler("object_detector", spec, context, decoder, (outputs) => objects(outputs, spec));
}

function objects(outputs: readonly OutputTensor[], spec: HandlerSpec): string {
  const boxes = outputs.find((each) => each.shape.length === 2 && each.shape[1] === 4 && floats.includes(each.dtype));
  const lists = outputs.filter((each) => each.shape.length === 1 && each.shape[0] === boxes?.shape[0]);
  const labels = lists.find((each) => !floats.includes(each.dtype));
  const scores = lists.find((each) => floats.includes(each.dtype));
  if (boxes === undefined || labels === undefined || scores === undefined) throw unlike(outputs);
  const [places, classes, values] = [readFloats(boxes), readFloats(labels), readFloats(scores)];
  const found: string[] = [];
  values.forEach((score, at) => {
    if (!(score >= (spec.threshold ?? 0))) return;
    const index = String(classes[at]);
    const label = JSON.stringify(spec.labels?.[index] ?? index);
    const box = Array.from(places.subarray(at * 4, at * 4 + 4), number);
    found.push(`{${label}:[${box.join(",")}],"score":${number(score)}}`);
  });
  return `[${found.join(",")}]`;
}

function unlike(outputs: readonly OutputTensor[]): ServerError {
  const got = outputs.map((each) => `${each.dtype} ${JSON.stringify(each.shape)}`).join(", ") || "no tensor";
  return new ServerError(
    "bad_output",
    `object_detector: expected boxes [objects, 4], integer labels [objects] and scores [objects] for a picture, got ${got}.`,
  );
}

function number(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${String(value)}"`;
}
