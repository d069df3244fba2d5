/** What a tokenizer.json says of itself. Pure. */

export interface TokenizerFacts {
  /** Of all tokens. */
  readonly highestId: number;
  /** Of the token that fills up. */
  readonly padId: number;
  readonly padTypeId: number;
  /** Tokens that are put around each text. */
  readonly added: number;
  /** truncation.max_length. */
  readonly maxLength: number | undefined;
  /** truncation.direction. */
  readonly cutAt: "left" | "right";
}

/** What padding tokens are called where the file has no `padding`. */
const padTokens = ["[PAD]", "<pad>", "<|padding|>"];

/** `json`: the file, parsed; `added`: as counted on an empty text. */
export function factsOf(json: unknown, vocabulary: Readonly<Record<string, number>>, added: number): TokenizerFacts {
  const padding = objectIn(json, "padding");
  const truncation = objectIn(json, "truncation");
  const named = padTokens.find((token) => vocabulary[token] !== undefined);
  return {
    highestId: Object.values(vocabulary).reduce((most, id) => Math.max(most, id), 0),
    padId: wholeIn(padding, "pad_id") ?? (named === undefined ? 0 : (vocabulary[named] ?? 0)),
    padTypeId: wholeIn(padding, "pad_type_id") ?? 0,
    added,
    maxLength: wholeIn(truncation, "max_length"),
    cutAt: truncation["direction"] === "Left" ? "left" : "right",
  };
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
