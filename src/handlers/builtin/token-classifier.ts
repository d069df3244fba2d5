/**
 * A text in, its tokens that have a class out, in the shape of Hugging Face's token-classification pipeline:
 * [{"entity", "score", "index", "word", "start", "end"}, …]. Tokens of class "O" (nothing) and those that the tokenizer
 * adds are left out. `index` counts all tokens, `start` and `end` count code points of the text. `word` is the token, of
 * one that is not in the vocabulary what stands in the text.
 */

import { ServerError } from "../../errors.js";
import type { Piece } from "../../tokenizer/library.js";
import type { HandlerSpec, TextSpec } from "../../types.js";
import type { Handler, OutputTensor } from "../handler.js";
import { readFloats } from "../tensor-read.js";
import { together } from "../answers.js";
import { firstToken } from "../text/pad.js";
import { inputsOf, outputsOf, type ReadTexts, textSpecOf, type TextReader } from "../text/text-input.js";
import { softmax } from "./classes.js";

/** The label of a token that is nothing. */
const nothing = "O";

export function tokenClassifier(spec: HandlerSpec, reader: TextReader): Handler {
  const text = textSpecOf(spec.text);
  const read = reader.forModel(text, true);
  return {
    name: "token_classifier",
    spec,
    pre: async (request) => {
      const texts = await read(request);
      request.state = texts;
      return inputsOf(texts, text);
    },
    post: (outputs, { state }) => {
      const texts = state as ReadTexts;
      const answers = outputsOf(outputs, texts, text).map((output, i) =>
        entities(output, wordsOf(texts, i, text.unknownId), spec, text),
      );
      return together(answers, texts.form);
    },
  };
}

/** The pieces of a text, of which unknown ones are called what the text calls them. */
function wordsOf({ texts, tokens }: ReadTexts, row: number, unknownId: number | undefined): readonly Piece[] {
  const encoded = tokens[row];
  if (encoded === undefined) return [];
  const { ids, pieces } = encoded;
  if (unknownId === undefined || !ids.includes(unknownId)) return pieces;
  const points = Array.from(texts[row] ?? "");
  return pieces.map((piece, at) =>
    ids[at] === unknownId ? { ...piece, token: points.slice(piece.start, piece.end).join("") } : piece,
  );
}

function entities(output: OutputTensor, pieces: readonly Piece[], { labels }: HandlerSpec, text: TextSpec): string {
  const [length = 0, classes = 0] = output.shape;
  if (output.shape.length !== 2 || length < pieces.length || classes === 0) {
    throw new ServerError(
      "bad_output",
      `The model's output has shape [${output.shape.join(", ")}] for ${pieces.length} tokens; token_classifier expected scores per class for each.`,
    );
  }
  const scores = readFloats(output).subarray(firstToken(length, pieces.length, text) * classes);
  const found = pieces.flatMap(({ token, special, start, end }, index) => {
    if (special) return [];
    const probabilities = softmax(scores.slice(index * classes, (index + 1) * classes));
    const best = indexOfLargest(probabilities);
    const entity = labels?.[String(best)] ?? String(best);
    if (entity === nothing) return [];
    return [JSON.stringify({ entity, score: probabilities[best] ?? 0, index, word: token, start, end })];
  });
  return `[${found.join(",\n")}]`;
}

function indexOfLargest(values: Float64Array): number {
  let best = 0;
  values.forEach((value, index) => {
    if (value > (values[best] ?? 0)) best = index;
  });
  return best;
}
