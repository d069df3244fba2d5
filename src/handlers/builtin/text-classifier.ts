/**
 * A text in, classes with probabilities out: {"label": probability, …}, all in the model's order as TorchServe's
 * text_classifier gives them, or the `topK` most probable. Probabilities are the softmax of the model's scores.
 */

import { ServerError } from "../../errors.js";
import type { HandlerSpec } from "../../types.js";
import type { Handler, OutputTensor } from "../handler.js";
import { readFloats } from "../tensor-read.js";
import { inputsOf, outputsOf, type ReadTexts, textSpecOf, type TextReader, together } from "../text/text-input.js";
import { allClasses, softmax, topClasses } from "./classes.js";

export function textClassifier(spec: HandlerSpec, reader: TextReader): Handler {
  const text = textSpecOf(spec.text);
  const read = reader.forModel(text, false);
  return {
    name: "text_classifier",
    spec,
    pre: async (request) => {
      const texts = await read(request);
      request.state = texts;
      return inputsOf(texts, text);
    },
    post: (outputs, { state }) => {
      const texts = state as ReadTexts;
      return together(
        outputsOf(outputs, texts, text).map((output) => classesOf(output, spec)),
        texts,
      );
    },
  };
}

function classesOf(output: OutputTensor, { topK, labels }: HandlerSpec): string {
  if (output.shape.length !== 1) {
    throw new ServerError(
      "bad_output",
      `The model's output has shape [${output.shape.join(", ")}] for a text; text_classifier expected a score per class.`,
    );
  }
  const probabilities = softmax(readFloats(output));
  return topK === 0 ? allClasses(probabilities, labels) : topClasses(probabilities, topK, labels);
}
