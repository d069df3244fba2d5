/**
 * A text in, a vector out: the pooled vectors of its tokens, of length 1 unless the model says otherwise. JSON: a list of
 * numbers, or one for each text where several came.
 */

import type { HandlerSpec } from "../../types.js";
import type { Handler } from "../handler.js";
import { pooled } from "../text/pool.js";
import { together } from "../answers.js";
import { inputsOf, outputsOf, type ReadTexts, textSpecOf, type TextReader } from "../text/text-input.js";

/** Enough for a float32 to be read back as it was. */
const digits = 9;

export function textEmbedding(spec: HandlerSpec, reader: TextReader): Handler {
  const text = textSpecOf(spec.text);
  const read = reader.forModel(text, false);
  return {
    name: "text_embedding",
    spec,
    pre: async (request) => {
      const texts = await read(request);
      request.state = texts;
      return inputsOf(texts, text);
    },
    post: (outputs, { state }) => {
      const texts = state as ReadTexts;
      const vectors = outputsOf(outputs, texts, text).map((output, i) =>
        pooled(output, texts.tokens[i]?.ids.length ?? 0, text),
      );
      return together(vectors.map(vectorText), texts.form);
    },
  };
}

function vectorText(vector: Float64Array): string {
  return `[${Array.from(vector, numberText).join(", ")}]`;
}

/** JSON has no word for what is not finite: text, as the engine writes it. */
export function numberText(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : `"${String(value)}"`;
}
