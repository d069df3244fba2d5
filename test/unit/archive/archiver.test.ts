/** Archives that the real torch-model-archiver packed (test/fixtures/archiver/pack.py): each opens, or says why not. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openModel } from "../../../src/archive/open.js";
import type { ModelSpec } from "../../../src/types.js";

const fixtures = join(import.meta.dirname, "../../fixtures/archiver");
const root = mkdtempSync(join(tmpdir(), "sconce-archiver-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function open(file: string) {
  const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024 };
  return openModel({ path: join(fixtures, file) }, { cache: join(root, "cache"), defaults });
}

const declared = [{ name: "x", dtype: "float32", shape: [4], optional: false }] as const;

describe("archives of torch-model-archiver that load", () => {
  test.each<[string, Partial<ModelSpec>]>([
    ["deflated.mar", { name: "deflated" }],
    ["stored.mar", { name: "stored" }],
    ["tarred.tar.gz", { name: "tarred", batchSize: 4, signature: { declared: true, inputs: declared, outputs: [] } }],
    ["folder", { name: "folder" }],
    ["configured.mar", { name: "configured", batchSize: 4, maxBatchDelayMs: 5, responseTimeoutMs: 30_000 }],
    ["extras.mar", { name: "extras" }],
    ["required.mar", { name: "required" }],
    ["labelled.mar", { name: "labelled" }],
  ])("%s", async (file, expected) => {
    const { spec } = await open(file);
    expect(spec).toMatchObject({ version: "1.0", kind: "torchscript", ...expected });
  });

  test("labels and picture settings arrive", async () => {
    const { handler } = (await open("labelled.mar")).spec;
    expect(handler).toMatchObject({ name: "image_classifier", topK: 2, labels: { "0": "cat", "1": "dog" } });
    expect(handler.image).toMatchObject({ crop: 8, channels: 1 });
  });

  test("extra files lie where the archiver put them", async () => {
    const { spec } = await open("extras.mar");
    expect(readdirSync(dirname(spec.artifact)).sort()).toEqual([
      "MAR-INF",
      "index_to_name.json",
      "net.pt",
      "readme.txt",
      "vocabulary",
    ]);
  });

  test("a requirements file is said to be without effect", async () => {
    expect((await open("required.mar")).warnings).toEqual([
      expect.stringContaining("requirements.txt is not installed"),
    ]);
  });
});

test.each([
  ["eager.mar", "base_handler"],
  ["custom.mar", "handler:handle"],
  ["handler-only.tar.gz", "handler"],
])("%s is Python's", async (file, handler) => {
  const { spec } = await open(file);
  expect(spec).toMatchObject({ kind: "python", python: { handler }, handler: { name: handler, python: true } });
  expect(readdirSync(spec.python?.folder ?? "")).toContain("MAR-INF");
  expect(spec.sha256).toMatch(/^[0-9a-f]{64}$/);
});

test.each<[string, RegExp]>([
  ["checkpoint.mar", /torch\.save checkpoint.*torch\.jit\.script/],
  ["text.mar", /no tokenizer\.json .*: text_classifier needs Hugging Face's tokenizer file/],
  ["cpp.mar", /runtime is LSP/],
])("%s is refused with the reason", async (file, words) => {
  await expect(open(file)).rejects.toMatchObject({
    code: "invalid_model",
    message: expect.stringMatching(words) as string,
  });
});
