import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { huggingFace } from "../../../src/archive/hugging-face.js";

const root = mkdtempSync(join(tmpdir(), "sconce-hugging-face-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const nothing = {
  vocabularySize: undefined,
  padId: undefined,
  padToken: undefined,
  maxLength: undefined,
  padAt: undefined,
  cutAt: undefined,
};

async function told(model: string, tokenizer: string) {
  writeFileSync(join(root, "config.json"), model);
  writeFileSync(join(root, "tokenizer_config.json"), tokenizer);
  return huggingFace(root);
}

test("what both files say", async () => {
  const model = '{"vocab_size": 50257, "pad_token_id": 50256}';
  const found = { vocabularySize: 50257, padId: 50256, padToken: "<|endoftext|>", maxLength: 1024 };
  const sides = { padAt: "left", cutAt: "right" };
  const words = '"model_max_length": 1024, "padding_side": "left", "truncation_side": "right"';
  expect(await told(model, `{"pad_token": "<|endoftext|>", ${words}}`)).toEqual({ ...found, ...sides });
  const other = { ...found, padAt: undefined, cutAt: undefined };
  expect(await told(model, '{"pad_token": {"content": "<|endoftext|>"}, "model_max_length": 1024}')).toEqual(other);
});

test("nothing where they are not there, are other programs', or say that there is no end", async () => {
  expect(await huggingFace(join(root, "none"))).toEqual(nothing);
  expect(await told("other", "[1]")).toEqual(nothing);
  expect(await told("null", '"text"')).toEqual(nothing);
  expect(
    await told('{"vocab_size": 1.5, "pad_token_id": -1}', '{"pad_token": null, "model_max_length": 1e30}'),
  ).toEqual(nothing);
});
