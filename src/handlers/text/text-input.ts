/**
 * What the text handlers share: a request's texts, as tokens, as the model's inputs, and the answers put together.
 * Tokenizers work on libuv's pool, a bounded number at once. Thread: one TextReader per HTTP thread.
 */

import { ServerError } from "../../errors.js";
import { type Encoded, Tokenizer } from "../../tokenizer/library.js";
import type { TextSpec } from "../../types.js";
import type { HandlerContext, OutputTensor, Rows } from "../handler.js";
import { Turns } from "../turns.js";
import { padded } from "./pad.js";
import { readTexts, type Texts } from "./read-texts.js";

/** Requests that may wait for their tokens on one thread. */
const maxWaiting = 1024;
/** UTF-8 bytes of one text. */
export const maxTextSize = 1024 * 1024;

/** What a request has become: kept from `pre` to `post`. */
export interface ReadTexts {
  readonly form: Texts["form"];
  readonly texts: readonly string[];
  readonly tokens: readonly Encoded[];
}

export interface TextRequest {
  readonly body: Uint8Array;
  readonly contentType: string;
  /** Explanations name the pieces that they are about. */
  readonly explains?: boolean;
}

export class TextReader {
  private readonly turns: Turns;

  constructor(context: HandlerContext) {
    this.turns = new Turns(context.decodeParallelism, maxWaiting);
  }

  /** A tokenizer for one version of a model, read now: before requests are routed to it. */
  forModel(spec: TextSpec, withPieces: boolean): (request: TextRequest) => Promise<ReadTexts> {
    const cut = spec.overlong === "cut" ? { maxLength: spec.maxLength, at: spec.cutAt } : undefined;
    const opened = Tokenizer.open(spec.tokenizer, cut);
    // Whoever sends a text is told; until then nobody waits for it.
    opened.catch(() => undefined);
    return async ({ body, contentType, explains }) => {
      const { texts, form } = readTexts(body, contentType, spec.maxTexts, maxTextSize);
      const tokenizer = await opened;
      const tokens = await this.turns.run("Too many texts wait for their tokens.", () =>
        tokensOf(tokenizer, texts, withPieces || explains === true),
      );
      tokens.forEach(({ ids }, index) =>
        checkLength(ids.length, texts.length === 1 ? "The text" : `Text ${index}`, spec),
      );
      return { texts, form, tokens };
    };
  }
}

async function tokensOf(tokenizer: Tokenizer, texts: readonly string[], withPieces: boolean): Promise<Encoded[]> {
  const tokens: Encoded[] = [];
  for (const text of texts) tokens.push(await tokenizer.encode(text, withPieces));
  return tokens;
}

function checkLength(length: number, what: string, { maxLength }: TextSpec): void {
  if (length === 0) throw new ServerError("bad_request", `${what} has no tokens.`);
  if (length <= maxLength) return;
  throw new ServerError(
    "bad_request",
    `${what} has ${length} tokens, more than the model's ${maxLength} (sconce.text.maxLength); sconce.text.overlong: cut cuts longer ones.`,
  );
}

export function inputsOf({ tokens }: ReadTexts, spec: TextSpec): Rows {
  return { rows: padded(tokens, spec) };
}

/** The handler's output of each text; the model's outputs come text by text. */
export function outputsOf(
  outputs: readonly OutputTensor[],
  { texts }: ReadTexts,
  spec: TextSpec,
): readonly OutputTensor[] {
  const each = outputs.length / texts.length;
  return texts.map((_text, row) => {
    const output = spec.output < each ? outputs[row * each + spec.output] : undefined;
    if (output !== undefined) return output;
    throw new ServerError("bad_output", `The model gave ${each} outputs, and sconce.text.output is ${spec.output}.`);
  });
}

/** The spec of a text model, which archive/open.ts gives every version with such a handler. */
export function textSpecOf(text: TextSpec | undefined): TextSpec {
  if (text === undefined) throw new ServerError("internal", "A text handler was announced without its tokenizer.");
  return text;
}
