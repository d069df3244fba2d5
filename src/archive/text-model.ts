/** From a text model's folder to the TextSpec its handler works by: tokenizer, inputs by their roles, lengths. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { checkTokenizer, type TokenizerFacts } from "../tokenizer/check.js";
import type { DType, InputSpec, TextInput, TextSpec } from "../types.js";
import { invalid } from "./failure.js";
import { type HuggingFace, huggingFace } from "./hugging-face.js";
import { maxTokenizerBytes } from "./limits.js";
import { existing } from "./manifest.js";
import { maxTextTokens, textConfigOf, type TextConfig } from "./text-config.js";
import { parseYaml } from "./yaml-section.js";

export interface TextModel {
  /** The archive, folder or file, as the operator named it. */
  readonly path: string;
  readonly handler: string;
  /** Where its files are. */
  readonly root: string;
  readonly config: TextConfig | undefined;
  /** sconce.inputs. */
  readonly inputs: readonly InputSpec[] | undefined;
  readonly maxInstances: number;
}

/** What Hugging Face's exports are called; the model's own names come from sconce.inputs. */
const defaultInputs: readonly InputSpec[] = [
  { name: "input_ids", dtype: "int64", shape: [-1], optional: false },
  { name: "attention_mask", dtype: "int64", shape: [-1], optional: false },
];

const defaultMaxLength = 512;
const shortestBucket = 16;

/** The vocabularies that TorchServe's text_classifier was trained with: pickles. */
export const pickledVocabularies = ["source_vocab.pt", "source_vocab.pth", "vocab.pt"];

/** Resolves to the spec and the model's inputs. Rejects with ServerError invalid_model. */
export async function textModel(
  model: TextModel,
): Promise<{ readonly text: TextSpec; readonly inputs: readonly InputSpec[] }> {
  const { path, root } = model;
  const config = model.config ?? textConfigOf(parseYaml("", ""));
  const inputs = model.inputs ?? defaultInputs;
  const roles = rolesOf(path, inputs);
  const tokenizer = await tokenizerFile(model, config.tokenizer);
  const told = await huggingFace(root);
  const facts = await checkTokenizer(tokenizer, config.padToken ?? told.padToken).catch((error: unknown) => {
    throw invalid(`${path}: ${config.tokenizer}`, error instanceof Error ? error.message : String(error), error);
  });
  checkVocabulary(path, told, facts);
  const fixed = fixedLength(path, inputs);
  const maxLength = maxLengthOf(path, config, facts.maxLength ?? told.maxLength, facts.added, fixed);
  const text: TextSpec = {
    tokenizer,
    inputs: roles,
    maxLength,
    overlong: config.overlong,
    cutAt: told.cutAt ?? facts.cutAt,
    buckets: bucketsOf(path, config, maxLength, fixed),
    padId: padIdOf(path, config, facts, told),
    padTypeId: facts.padTypeId,
    padsTo: config.buckets === undefined && fixed === undefined ? facts.padsTo : undefined,
    padAt: config.padAt ?? told.padAt ?? facts.padAt,
    unknownId: facts.unknownId,
    maxTexts: model.maxInstances,
    output: config.output,
    pooling: config.pooling,
    normalize: config.normalize,
  };
  return { text, inputs };
}

async function tokenizerFile({ path, root, handler }: TextModel, name: string): Promise<string> {
  const found = await existing(root, path, "sconce.text.tokenizer", name).catch((error: unknown) => error as Error);
  if (typeof found !== "string") {
    for (const pickled of pickledVocabularies) {
      if (!(await isFile(join(root, pickled)))) continue;
      throw invalid(
        path,
        `the vocabulary is a Python pickle (${pickled}), as TorchServe's old text_classifier has it: it needs the Python worker, so set handler to a Python file; or save the tokenizer as tokenizer.json with Hugging Face's tokenizers`,
      );
    }
    throw (await isFile(join(root, name)))
      ? found
      : invalid(
          path,
          `there is no ${name} (sconce.text.tokenizer): ${handler} needs Hugging Face's tokenizer file beside the model`,
        );
  }
  const { size } = await stat(found);
  if (size > maxTokenizerBytes) {
    throw invalid(path, `${name} is ${size} bytes, the limit (maxTokenizerBytes) is ${maxTokenizerBytes}`);
  }
  return found;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Where Hugging Face's config.json is there too, its vocabulary has to hold the tokenizer's. */
function checkVocabulary(path: string, { vocabularySize }: HuggingFace, { highestId }: TokenizerFacts): void {
  if (vocabularySize === undefined || highestId < vocabularySize) return;
  throw invalid(
    path,
    `the tokenizer has ids up to ${highestId} and the model's vocabulary (vocab_size in config.json) ends at ${vocabularySize - 1}: it is another model's tokenizer`,
  );
}

/** Models look for where a text ends by it: one that is not theirs gives other answers. */
function padIdOf(path: string, { padToken }: TextConfig, facts: TokenizerFacts, told: HuggingFace): number {
  if (padToken === undefined) return facts.padId ?? facts.namedPadId ?? told.padId ?? facts.usualPadId ?? 0;
  if (facts.namedPadId !== undefined) return facts.namedPadId;
  throw invalid(path, `sconce.text.padToken is ${JSON.stringify(padToken)}, which is no token of the tokenizer`);
}

const namesOfRoles: readonly (readonly [TextInput["role"], readonly string[]])[] = [
  ["ids", ["input_ids", "ids", "input", "inputs", "tokens", "token_ids", "text"]],
  ["mask", ["attention_mask", "mask", "input_mask"]],
  ["types", ["token_type_ids", "segment_ids", "type_ids"]],
];
const dtypesOfRoles: Readonly<Record<TextInput["role"], readonly DType[]>> = {
  ids: ["int64", "int32"],
  mask: ["int64", "int32", "bool", "float32"],
  types: ["int64", "int32"],
};

function rolesOf(path: string, inputs: readonly InputSpec[]): readonly TextInput[] {
  const roles = inputs.map(({ name, dtype, shape }): TextInput => {
    const role = inputs.length === 1 ? "ids" : namesOfRoles.find(([, names]) => names.includes(name))?.[0];
    if (role === undefined) {
      const known = namesOfRoles.map(([each, names]) => `${each}: ${names.join(", ")}`).join("; ");
      throw invalid(
        path,
        `sconce.inputs: a text handler does not know what to put into ${JSON.stringify(name)} (${known})`,
      );
    }
    if (shape.length !== 1) {
      throw invalid(
        path,
        `sconce.inputs: ${name} has shape ${JSON.stringify(shape)}; a text handler makes lists of tokens, shape [-1]`,
      );
    }
    if (!dtypesOfRoles[role].includes(dtype)) {
      throw invalid(
        path,
        `sconce.inputs: ${name} is ${dtype}; a text handler makes ${dtypesOfRoles[role].join(" or ")} of it`,
      );
    }
    return { name, role, dtype };
  });
  const twice = roles.find((each, i) => roles.findIndex((other) => other.role === each.role) !== i);
  if (twice !== undefined) throw invalid(path, `sconce.inputs: ${twice.name} is a second input for ${twice.role}`);
  if (!roles.some((each) => each.role === "ids")) throw invalid(path, "sconce.inputs: none of them takes token ids");
  return roles;
}

/** The length that the model was made for, where it takes one only. */
function fixedLength(path: string, inputs: readonly InputSpec[]): number | undefined {
  const [first] = inputs[0]?.shape ?? [];
  if (inputs.some(({ shape }) => shape[0] !== first)) {
    throw invalid(path, "sconce.inputs: the inputs of a text model have one length, all -1 or all the same number");
  }
  return first === undefined || first < 0 ? undefined : first;
}

function maxLengthOf(
  path: string,
  config: TextConfig,
  told: number | undefined,
  added: number,
  fixed: number | undefined,
): number {
  const most = config.maxLength ?? Math.min(told ?? defaultMaxLength, fixed ?? maxTextTokens);
  if (most < added + 1) {
    throw invalid(path, `sconce.text.maxLength is ${most}, and the tokenizer adds ${added} tokens to each text`);
  }
  if (fixed === undefined || most <= fixed) return most;
  throw invalid(path, `sconce.text.maxLength is ${most}, and the model takes ${fixed} tokens (sconce.inputs)`);
}

function bucketsOf(path: string, config: TextConfig, maxLength: number, fixed: number | undefined): readonly number[] {
  if (fixed !== undefined) return [fixed];
  if (config.buckets !== undefined) {
    const most = config.buckets.at(-1) ?? 0;
    if (most >= maxLength) return config.buckets;
    throw invalid(path, `sconce.text.buckets end at ${most}, below maxLength (${maxLength})`);
  }
  const buckets: number[] = [];
  for (let length = shortestBucket; length < maxLength; length *= 2) buckets.push(length);
  return [...buckets, maxLength];
}
