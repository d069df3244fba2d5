/** What Hugging Face's config.json and tokenizer_config.json in a model's folder say of its texts. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { maxTextBytes } from "./limits.js";
import { maxTextTokens } from "./text-config.js";

export interface HuggingFace {
  /** config.json: ids that the model knows. */
  readonly vocabularySize: number | undefined;
  /** config.json: the id that the model takes for padding. */
  readonly padId: number | undefined;
  /** tokenizer_config.json: the token that fills up. */
  readonly padToken: string | undefined;
  /** tokenizer_config.json: padding_side and truncation_side. */
  readonly padAt: "left" | "right" | undefined;
  readonly cutAt: "left" | "right" | undefined;
  /** tokenizer_config.json: tokens of one text; undefined where it says that there is no end to them. */
  readonly maxLength: number | undefined;
}

export async function huggingFace(root: string): Promise<HuggingFace> {
  const model = await objectIn(join(root, "config.json"));
  const tokenizer = await objectIn(join(root, "tokenizer_config.json"));
  const maxLength = whole(tokenizer["model_max_length"]);
  return {
    vocabularySize: whole(model["vocab_size"]),
    padId: whole(model["pad_token_id"]),
    padToken: tokenOf(tokenizer["pad_token"]),
    padAt: sideOf(tokenizer["padding_side"]),
    cutAt: sideOf(tokenizer["truncation_side"]),
    maxLength: maxLength !== undefined && maxLength > 0 && maxLength <= maxTextTokens ? maxLength : undefined,
  };
}

/** Empty for a file that is not there, or is another program's. */
async function objectIn(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    if ((await stat(file)).size > maxTextBytes) return {};
    const value = JSON.parse(await readFile(file, "utf8")) as unknown;
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}

function whole(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

function sideOf(value: unknown): "left" | "right" | undefined {
  return value === "left" || value === "right" ? value : undefined;
}

/** "[PAD]", or {"content": "[PAD]", …} as older versions wrote it. */
function tokenOf(value: unknown): string | undefined {
  const named = typeof value === "object" && value !== null ? (value as { content?: unknown }).content : value;
  return typeof named === "string" ? named : undefined;
}
