/**
 * A picture in, labels with probabilities out.
 *
 * In: JPEG, PNG, WebP or GIF bytes whatever the content type says, or JSON holding them as base64 (a string, or an object
 * with "data", "body" or "b64"). Out: {"label": probability, …}, the most probable first; probabilities are the softmax
 * of the model's first output (one score per class), as TorchServe's image_classifier computes them.
 */

import { ServerError } from "../../errors.js";
import type { HandlerSpec } from "../../types.js";
import type { Handler, HandlerContext, OutputTensor } from "../handler.js";
import type { PictureDecoder } from "../picture.js";
import { pictureHandler } from "./pictures.js";
import { readFloats } from "../tensor-read.js";
import { softmax, topClasses } from "./classes.js";

export function imageClassifier(spec: HandlerSpec, context: HandlerContext, decoder: PictureDecoder): Handler {
  return pictureHandler("image_classifier", spec, context, decoder, (outputs) => classes(outputs, spec));
}

function classes(outputs: readonly OutputTensor[], spec: HandlerSpec): string {
  const scores = outputs[0];
  if (scores === undefined) throw new ServerError("bad_output", "image_classifier: the model returned no tensor.");
  const probabilities = softmax(readFloats(scores));
  return topClasses(probabilities, spec.topK, spec.labels);
}
