import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openModel } from "../../../src/archive/open.js";
import { textConfigOf, textKeys } from "../../../src/archive/text-config.js";
import { parseYaml } from "../../../src/archive/yaml-section.js";
import { buildZip, torchScript } from "./zip-builder.js";

const fixtures = join(import.meta.dirname, "../../fixtures/text");
const root = mkdtempSync(join(tmpdir(), "sconce-text-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;

async function open(yaml: string, more: Readonly<Record<string, string>> = {}, tokenizer = "wordpiece.json") {
  const folder = join(root, `m${serial++}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "m.pt"), buildZip(torchScript()));
  writeFileSync(join(folder, "model-config.yaml"), yaml);
  for (const [name, text] of Object.entries(more)) writeFileSync(join(folder, name), text);
  if (tokenizer !== "") cpSync(join(fixtures, tokenizer), join(folder, "tokenizer.json"));
  const defaults = { jobQueueSize: 100, responseTimeoutMs: 1000, maxInstances: 32 };
  return (await openModel({ path: folder }, { cache: join(root, "cache"), defaults })).spec;
}

const handler = "handler: text_embedding\n";
const inputs = (text: string): string => `${handler}sconce:\n  inputs: [${text}]\n`;

describe("a text model", () => {
  test("without a word about texts", async () => {
    const { handler: spec, signature } = await open(handler);
    expect(spec).toMatchObject({
      name: "text_embedding",
      topK: 0,
      text: {
        inputs: [
          { name: "input_ids", role: "ids", dtype: "int64" },
          { name: "attention_mask", role: "mask", dtype: "int64" },
        ],
        maxLength: 64,
        overlong: "refuse",
        buckets: [16, 32, 64],
        padId: 0,
        maxTexts: 32,
        output: 0,
        pooling: "mean",
        normalize: true,
      },
    });
    expect(signature).toMatchObject({ declared: true, inputs: [{ name: "input_ids", shape: [-1] }, {}] });
  });

  test("with every option, and inputs of its own", async () => {
    const yaml =
      "handler: text_classifier\nsconce:\n  topK: 2\n  maxInstances: 4\n  inputs: [{ name: tokens, dtype: int32, shape: [-1] }, { name: mask, dtype: bool, shape: [-1] }, { name: segment_ids, dtype: int64, shape: [-1] }]\n" +
      "  text: { tokenizer: t.json, maxLength: 40, overlong: cut, buckets: [20, 50], output: 1, pooling: none, normalize: false }\n";
    const { handler: spec } = await open(yaml, { "t.json": "" }, "").catch((error: unknown) => ({ handler: error }));
    expect(String(spec)).toMatch(/t\.json/u);
    const whole = await open(yaml.replace("t.json", "tokenizer.json"), {}, "unigram.json");
    expect(whole.handler).toMatchObject({
      topK: 2,
      text: {
        inputs: [{ role: "ids" }, { role: "mask" }, { role: "types" }],
        maxLength: 40,
        overlong: "cut",
        buckets: [20, 50],
        padId: 1,
        maxTexts: 4,
        output: 1,
        pooling: "none",
        normalize: false,
      },
    });
  });

  test("of one length", async () => {
    const { handler: spec } = await open(inputs("{ name: x, dtype: int64, shape: [24] }"));
    expect(spec.text).toMatchObject({ maxLength: 24, buckets: [24], inputs: [{ name: "x", role: "ids" }] });
  });

  test("whose tokenizer says nothing of length", async () => {
    const { handler: spec } = await open(handler, {}, "bytelevel.json");
    expect(spec.text).toMatchObject({ maxLength: 512, buckets: [16, 32, 64, 128, 256, 512] });
  });

  test("whose length and padding Hugging Face's files beside it say", async () => {
    const files = (pad: unknown, length: number, id: unknown) => ({
      "tokenizer_config.json": JSON.stringify({ pad_token: pad, model_max_length: length }),
      "config.json": JSON.stringify({ pad_token_id: id }),
    });
    const of = async (yaml: string, more: Readonly<Record<string, string>>) =>
      (await open(yaml, more, "bytelevel.json")).handler.text;
    expect(await of(handler, files("!", 48, 7))).toMatchObject({ padId: 1, maxLength: 48, buckets: [16, 32, 48] });
    expect(await of(handler, files({ content: "!" }, 1e30, 7))).toMatchObject({ padId: 1, maxLength: 512 });
    expect(await of(handler, files(null, 0, 7))).toMatchObject({ padId: 7, maxLength: 512 });
    const own = `${handler}sconce:\n  text: { padToken: '"', maxLength: 20 }\n`;
    expect(await of(own, files("!", 48, 7))).toMatchObject({ padId: 2, maxLength: 20 });
    // What tokenizer.json itself says goes before.
    expect((await open(handler, files("[CLS]", 48, 7))).handler.text).toMatchObject({ padId: 0, maxLength: 64 });
    await expect(of(own.replace("'\"'", "none"), {})).rejects.toThrow(
      'sconce.text.padToken is "none", which is no token of the tokenizer',
    );
  });

  test("whose padding's and cut's side is the option's, else that of Hugging Face's file beside it", async () => {
    const file = { "tokenizer_config.json": '{"padding_side": "left", "truncation_side": "left"}' };
    expect((await open(handler, {})).handler.text).toMatchObject({
      padAt: "right",
      cutAt: "right",
      padsTo: "64 tokens",
    });
    expect((await open(handler, file)).handler.text).toMatchObject({ padAt: "left", cutAt: "left" });
    const own = `${handler}sconce:\n  text: { padAt: right, buckets: [64] }\n`;
    expect((await open(own, file)).handler.text).toMatchObject({ padAt: "right", padsTo: undefined });
  });

  test("with config.json of the vocabulary's size", async () => {
    await expect(open(handler, { "config.json": '{"vocab_size": 900}' })).resolves.toBeDefined();
    await expect(open(handler, { "config.json": "other" })).resolves.toBeDefined();
    await expect(open(handler, { "config.json": '{"vocab_size": 800}' })).rejects.toThrow(
      "ids up to 899 and the model's vocabulary (vocab_size in config.json) ends at 799",
    );
  });
});

describe("what is refused", () => {
  test.each([
    [
      "a pickled vocabulary",
      { "source_vocab.pt": "x" },
      "source_vocab.pt), as TorchServe's old text_classifier has it: it needs the Python worker",
    ],
    ["no tokenizer", {}, "there is no tokenizer.json (sconce.text.tokenizer)"],
    ["a broken one", { "tokenizer.json": "{" }, "tokenizer.json: "],
  ])("%s", async (_what, files, words) => {
    await expect(open(handler, files, "")).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringContaining(words) as string,
    });
  });

  test.each([
    [
      "{ name: ids, dtype: int64, shape: [-1] }, { name: other, dtype: int64, shape: [-1] }",
      'does not know what to put into "other"',
    ],
    [
      "{ name: ids, dtype: int64, shape: [-1] }, { name: tokens, dtype: int64, shape: [-1] }",
      "tokens is a second input for ids",
    ],
    [
      "{ name: mask, dtype: int64, shape: [-1] }, { name: type_ids, dtype: int64, shape: [-1] }",
      "none of them takes token ids",
    ],
    ["{ name: ids, dtype: float32, shape: [-1] }", "ids is float32"],
    ["{ name: ids, dtype: int64, shape: [2, -1] }", "has shape [2,-1]"],
    ["{ name: ids, dtype: int64, shape: [8] }, { name: mask, dtype: int64, shape: [-1] }", "have one length"],
  ])("inputs %s", async (text, words) => {
    await expect(open(inputs(text))).rejects.toThrow(words);
  });

  test.each([
    ["maxLength: 2", "the tokenizer adds 2 tokens"],
    ["buckets: [32, 16]", "ascending"],
    ["buckets: [16, 32]", "buckets end at 32, below maxLength (64)"],
    ["pooling: max", "must be one of mean, cls, none"],
    ["padding: 3", "is no known key"],
  ])("sconce.text.%s", async (line, words) => {
    await expect(open(`${handler}sconce:\n  text: { ${line} }\n`)).rejects.toThrow(words);
  });

  test("a length that the model does not take, options for another handler", async () => {
    const yaml = `${inputs("{ name: x, dtype: int64, shape: [24] }")}  text: { maxLength: 25 }\n`;
    await expect(open(yaml)).rejects.toThrow("maxLength is 25, and the model takes 24");
    await expect(open("handler: base_handler\nsconce: { text: { maxLength: 8 } }\n")).rejects.toThrow(
      "sconce.text is for",
    );
  });
});

test("each key has a row, and a value where nothing is said", () => {
  const nothing = textConfigOf(parseYaml("", ""));
  expect(Object.keys(nothing)).toEqual(Object.keys(textKeys));
});
