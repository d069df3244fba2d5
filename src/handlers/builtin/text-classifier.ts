/**
 * A text in, classes with probabilities out: {"label": probability, …}, all in the model's order as TorchServe's
 * text_classifier gives them, or the `topK` most probable. Probabilities are the softmax of the model's scores.
 */

import { ServerError } from "../../errors.js";
import type { Piece } from "../../tokenizer/library.js";
import type { HandlerSpec, TextSpec } from "../../types.js";
import type { Handler, OutputTensor } from "../handler.js";
import { readFloats } from "../tensor-read.js";
import { together } from "../answers.js";
import { firstToken } from "../text/pad.js";
import { inputsOf, outputsOf, type ReadTexts, textSpecOf, type TextReader } from "../text/text-input.js";
import { allClasses, softmax, topClasses } from "./classes.js";
import { numberText } from "./text-embedding.js";

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
        texts.form,
      );
    },
    explained: (outputs, { state }) => {
      const texts = state as ReadTexts;
      return together(
        texts.tokens.map(({ pieces }, row) => insight(outputs, row, texts.texts.length, pieces, text)),
        texts.form,
        "explanations",
      );
    },
  };
}

/** TorchServe's answer: the words, and how much each of them counts. */
function insight(
  outputs: readonly OutputTensor[],
  row: number,
  rows: number,
  pieces: readonly Piece[],
  text: TextSpec,
): string {
  const each = outputs.length / rows;
  const [attributions, delta] = [outputs[row * each], outputs[(row + 1) * each - 1]];
  if (attributions === undefined || delta === undefined) {
    throw new ServerError("internal", "The engine explained fewer texts than there are.");
  }
  const words = pieces.map(({ token }) => JSON.stringify(token.replace(/^[Ġ▁]/u, "")));
  const values = readFloats(attributions);
  const first = firstToken(values.length, pieces.length, text);
  const importances = Array.from(values.subarray(first, first + pieces.length), numberText);
  const [deviation = Number.NaN] = readFloats(delta);
  return `{"importances": [${importances.join(", ")}], "words": [${words.join(", ")}], "delta": ${numberText(deviation)}}`;
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
