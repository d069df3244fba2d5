import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkTokenizer } from "../../../src/tokenizer/check.js";

const folder = join(import.meta.dirname, "../../fixtures/text");
const root = mkdtempSync(join(tmpdir(), "sconce-tokenizer-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("what a tokenizer says of itself", async () => {
  expect(await checkTokenizer(join(folder, "wordpiece.json"))).toEqual({
    highestId: 899,
    padId: 0,
    usualPadId: 0,
    unknownId: 1,
    padTypeId: 0,
    padAt: "right",
    padsTo: "64 tokens",
    added: 2,
    maxLength: 64,
    cutAt: "right",
  });
  expect(await checkTokenizer(join(folder, "unigram.json"))).toMatchObject({ usualPadId: 1, added: 2 });
  expect(await checkTokenizer(join(folder, "bytelevel.json"), "<|endoftext|>")).toMatchObject({ namedPadId: 0 });
});

test.each([
  ["no JSON", "{", /JSON/u],
  ["no tokenizer", '{"version": "1.0"}', /./u],
  ["nothing", "", /JSON/u],
])("refused: %s", async (name, text, words) => {
  const file = join(root, `${name}.json`);
  writeFileSync(file, text);
  await expect(checkTokenizer(file)).rejects.toThrow(words);
});

test("a file that ends the library's process ends only that of the trial", async () => {
  const file = join(root, "crash.json");
  const whole = JSON.parse(readFileSync(join(folder, "wordpiece.json"), "utf8")) as object;
  const unknown = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "X", type_id: 0 } }],
    pair: [],
    special_tokens: {},
  };
  writeFileSync(file, JSON.stringify({ ...whole, post_processor: unknown }));
  await expect(checkTokenizer(file)).rejects.toThrow("the tokenizer crashed on it (SIGABRT)");
});

/** The byte-level tokenizer that splits texts by a pattern first. */
function splitting(name: string, pattern: string): string {
  const whole = JSON.parse(readFileSync(join(folder, "bytelevel.json"), "utf8")) as { readonly pre_tokenizer: unknown };
  const split = { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
  const both = { type: "Sequence", pretokenizers: [split, whole.pre_tokenizer] };
  const file = join(root, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...whole, pre_tokenizer: both }));
  return file;
}

// Each of them ends the process on some text, which may come long after the load.
test.each([
  ["exponential", String.raw`(\w+\s?)+$`],
  ["exponential in a rare letter", "(ж|жж)+$"],
  ["quadratic", String.raw`\s+\s+\d`],
])("a pattern that would end the server on a text is refused: %s", async (name, pattern) => {
  await expect(checkTokenizer(splitting(name, pattern))).rejects.toThrow("crashed on it (SIGABRT)");
});

// As GPT-4's and Llama 3's files have it.
const usual = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
test("a usual pattern is taken", async () => {
  expect(await checkTokenizer(splitting("usual", usual))).toMatchObject({ highestId: expect.any(Number) as number });
});
