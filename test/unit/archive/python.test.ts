import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultMaxRetryMs, handlerFile, pythonModel } from "../../../src/archive/python.js";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "sconce-python-"));
  writeFileSync(join(root, "mine.py"), "");
});
afterAll(() => rmSync(root, { recursive: true }));

const ask = (handler: string, more: object = {}) =>
  pythonModel({ path: "m.mar", root, manifest: {}, handler, bare: false, ...more });

test.each(["base_handler", "image_classifier"])("%s runs natively", async (handler) => {
  expect(await ask(handler)).toBeUndefined();
});

test.each([
  ["an eager model, whatever its handler", "base_handler", { manifest: { modelFile: "net.py" } }],
  ["a handler of the archive", "mine.py", {}],
  ["with a function", "mine.py:handle", {}],
  ["without its ending, in a folder", "code/mine", {}],
  ["a handler of TorchServe's that does not run here", "dali_image_classifier", {}],
])("Python's: %s", async (_name, handler, more) => {
  expect(await ask(handler, more)).toEqual({ folder: root, handler, maxRetryMs: defaultMaxRetryMs });
});

test("requirements and the wish for an environment of its own come with it", async () => {
  const manifest = { requirementsFile: "requirements.txt" };
  expect(await ask("mine.py", { manifest, useVenv: true })).toMatchObject({
    requirements: "requirements.txt",
    useVenv: true,
  });
});

test("times come with it", async () => {
  const times = { maxRetryMs: 0 };
  expect(await ask("mine.py", times)).toMatchObject(times);
});

test("a handler that is nowhere, and a bare file with a Python handler beside it", async () => {
  await expect(ask("other.py")).rejects.toThrow(
    /^m\.mar: the handler "other\.py" is no built-in handler \(.*\), and the archive holds no file other\.py$/,
  );
  await expect(ask("mine.py", { bare: true })).rejects.toThrow(/needs an archive or a folder/);
});

test("a configuration that cannot be followed where Python runs the model is refused there alone", async () => {
  const refusal = "its configuration asks for more";
  await expect(ask("mine.py", { refusal })).rejects.toThrow(/^m\.mar: its configuration asks for more$/);
  expect(await ask("base_handler", { refusal })).toBeUndefined();
});

test.each([
  ["h.py", "h.py"],
  ["h", "h.py"],
  ["a/b/h.py:f", "h.py"],
])("%s lies in %s", (handler, file) => {
  expect(handlerFile(handler)).toBe(file);
});
