/** What a tokenizer.json says of itself. Pure. */

export interface TokenizerFacts {
  /** Of all tokens. */
  readonly highestId: number;
  /** Of the token that fills up: the file's `padding`, the one that was asked for, the one that is called like it. */
  readonly padId: number | undefined;
  readonly namedPadId: number | undefined;
  readonly usualPadId: number | undefined;
  readonly padTypeId: number;
  /** padding.direction. */
  readonly padAt: "left" | "right";
  /** What the file pads a text to beside the longest one: "Fixed 128", "multiples of 8". */
  readonly padsTo: string | undefined;
  /** Of the token that stands for what is not in the vocabulary. */
  readonly unknownId: number | undefined;
  /** Tokens that are put around each text. */
  readonly added: number;
  /** truncation.max_length. */
  readonly maxLength: number | undefined;
  /** truncation.direction. */
  readonly cutAt: "left" | "right";
}

/** What padding tokens are called where the file has no `padding`. */
const padTokens = ["[PAD]", "<pad>", "<|padding|>"];

/** `json`: the file, parsed; `added`: as counted on an empty text; `padToken`: where another file names it. */
export function factsOf(
  json: unknown,
  vocabulary: Readonly<Record<string, number>>,
  added: number,
  padToken?: string,
): TokenizerFacts {
  const padding = objectIn(json, "padding");
  const truncation = objectIn(json, "truncation");
  const idOf = (token: string | undefined): number | undefined =>
    token !== undefined && Object.hasOwn(vocabulary, token) ? vocabulary[token] : undefined;
  const model = objectIn(json, "model");
  const unknown = model["unk_token"];
  const maxLength = wholeIn(truncation, "max_length");
  return {
    highestId: Object.values(vocabulary).reduce((most, id) => Math.max(most, id), 0),
    padId: wholeIn(padding, "pad_id"),
    namedPadId: idOf(padToken),
    usualPadId: idOf(padTokens.find((token) => idOf(token) !== undefined)),
    padTypeId: wholeIn(padding, "pad_type_id") ?? 0,
    padAt: padding["direction"] === "Left" ? "left" : "right",
    padsTo: padsToOf(padding),
    unknownId: wholeIn(model, "unk_id") ?? idOf(typeof unknown === "string" ? unknown : undefined),
    added,
    // The library cuts nothing to 0.
    maxLength: maxLength === 0 ? undefined : maxLength,
    cutAt: truncation["direction"] === "Left" ? "left" : "right",
  };
}

function padsToOf(padding: Readonly<Record<string, unknown>>): string | undefined {
  const fixed = wholeIn(objectIn(padding, "strategy"), "Fixed");
  const multiple = wholeIn(padding, "pad_to_multiple_of") ?? 0;
  const words = [fixed === undefined ? "" : `${fixed} tokens`, multiple > 1 ? `multiples of ${multiple}` : ""];
  const said = words.filter((each) => each !== "");
  return said.length === 0 ? undefined : said.join(", ");
}

function objectIn(json: unknown, key: string): Readonly<Record<string, unknown>> {
  const value =
    typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>)[key] : undefined;
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function wholeIn(json: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = json[key];
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : undefined;
}
