/**
 * The keys of `sconce.text` in model-config.yaml, one row each; docs/text.md is generated from them. Pure.
 */
import type { Section } from "./yaml-section.js";

export interface TextConfig {
  readonly tokenizer: string;
  readonly maxLength: number | undefined;
  readonly overlong: "refuse" | "cut";
  readonly buckets: readonly number[] | undefined;
  readonly padToken: string | undefined;
  readonly padAt: "left" | "right" | undefined;
  readonly output: number;
  readonly pooling: "mean" | "cls" | "none";
  readonly normalize: boolean;
}

/** Tokens of one text that a model may be said to take. */
export const maxTextTokens = 131_072;
const maxBuckets = 64;
const maxOutputs = 256;

interface Key<T> {
  /** For the documentation. */
  readonly values: string;
  readonly fallback: string;
  readonly help: string;
  /** Throws invalid_model. */
  readonly read: (section: Section, key: string) => T;
}

export const textKeys: { readonly [K in keyof TextConfig]: Key<TextConfig[K]> } = {
  tokenizer: {
    values: "path",
    fallback: "`tokenizer.json`",
    help: "Hugging Face's tokenizer file, in the archive or folder",
    read: (section, key) => section.text(key) ?? "tokenizer.json",
  },
  maxLength: {
    values: `1 to ${maxTextTokens}`,
    fallback: "the tokenizer's `truncation.max_length`, else tokenizer_config.json's `model_max_length`, else 512",
    help: "tokens of one text, special ones included",
    read: (section, key) => section.integer(key, 1, maxTextTokens),
  },
  overlong: {
    values: "`refuse`, `cut`",
    fallback: "`refuse`",
    help: "what happens to a text of more tokens: 400, or it is cut as Python's tokenizer cuts it",
    read: (section, key) => section.choice(key, ["refuse", "cut"] as const) ?? "refuse",
  },
  buckets: {
    values: "list of lengths",
    fallback: "16, 32, 64… up to `maxLength`",
    help: "inputs are padded to the next of these lengths; requests of one bucket share a batch",
    read: bucketsOf,
  },
  padToken: {
    values: "a token",
    fallback: "see below",
    help: "the token that fills up",
    read: (section, key) => section.text(key),
  },
  padAt: {
    values: "`right`, `left`",
    fallback: "tokenizer_config.json's `padding_side`, else the tokenizer's `padding.direction`, else `right`",
    help: "where it goes: behind a text, or before it",
    read: (section, key) => section.choice(key, ["right", "left"] as const),
  },
  output: {
    values: `0 to ${maxOutputs - 1}`,
    fallback: "0",
    help: "which of the model's outputs is read",
    read: (section, key) => section.integer(key, 0, maxOutputs - 1) ?? 0,
  },
  pooling: {
    values: "`mean`, `cls`, `none`",
    fallback: "`mean`",
    help: "`text_embedding`: the mean of the tokens' vectors, the first token's, or `none` where the model pools itself",
    read: (section, key) => section.choice(key, ["mean", "cls", "none"] as const) ?? "mean",
  },
  normalize: {
    values: "true, false",
    fallback: "true",
    help: "`text_embedding`: vectors are scaled to length 1",
    read: (section, key) => section.boolean(key) ?? true,
  },
};

export function textConfigOf(section: Section): TextConfig {
  section.only(Object.keys(textKeys));
  const read = <K extends keyof TextConfig>(key: K): TextConfig[K] => textKeys[key].read(section, key);
  return {
    tokenizer: read("tokenizer"),
    maxLength: read("maxLength"),
    overlong: read("overlong"),
    buckets: read("buckets"),
    padToken: read("padToken"),
    padAt: read("padAt"),
    output: read("output"),
    pooling: read("pooling"),
    normalize: read("normalize"),
  };
}

function bucketsOf(section: Section, key: string): readonly number[] | undefined {
  const given = section.numbers(key);
  if (given === undefined) return undefined;
  const good = given.every((each, i) => Number.isInteger(each) && each > (given[i - 1] ?? 0) && each <= maxTextTokens);
  if (good && given.length > 0 && given.length <= maxBuckets) return given;
  throw section.fail(
    key,
    `must be 1 to ${maxBuckets} ascending whole numbers up to ${maxTextTokens}, got [${given.join(", ")}]`,
  );
}
