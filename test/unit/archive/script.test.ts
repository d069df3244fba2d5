import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { scriptConfigOf, scriptOf } from "../../../src/archive/script.js";
import { parseYaml } from "../../../src/archive/yaml-section.js";

const root = mkdtempSync(join(tmpdir(), "sconce-script-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
writeFileSync(join(root, "handler.ts"), "export default {};");

const question = {
  path: "m.mar",
  root,
  bare: false,
  config: undefined,
  batchSize: undefined,
  jobQueueSize: 10,
  maxRetryMs: 1,
};

test("a handler is told by its ending, and its file has to be there", async () => {
  expect(await scriptOf({ ...question, handler: "handler.py" })).toBeUndefined();
  expect(await scriptOf({ ...question, handler: "image_classifier" })).toBeUndefined();
  expect(await scriptOf({ ...question, handler: "handler.ts", batchSize: 8 })).toEqual({
    key: "",
    folder: root,
    file: "handler.ts",
    isolation: "thread",
    maxMemory: 0,
    hookTimeoutMs: 30_000,
    maxRetryMs: 1,
    maxWaiting: 10,
    maxBatch: 8,
    config: {},
  });
  await expect(scriptOf({ ...question, handler: "other.ts" })).rejects.toThrow(/no such file in it/);
  await expect(scriptOf({ ...question, handler: "../x.ts" })).rejects.toThrow(/outside the model's folder/);
  await expect(scriptOf({ ...question, handler: "handler.ts", bare: true })).rejects.toThrow(/archive or a folder/);
});

test("the section's keys are checked; the operator's time limit is for models that name none", async () => {
  const read = (text: string) => scriptConfigOf(parseYaml("c.yaml", text));
  const config = read("hookTimeout: 0.5\nconfig: { a: [1, two] }");
  expect(config).toEqual({ hookTimeoutMs: 500, config: { a: [1, "two"] } });
  const said = { ...question, handler: "handler.ts", hookTimeoutMs: 7 };
  expect(await scriptOf({ ...said, config })).toMatchObject({ hookTimeoutMs: 500 });
  expect(await scriptOf(said)).toMatchObject({ hookTimeoutMs: 7 });
  expect(() => read("hookTimeout: 0")).toThrow(/must be a number from 0.05/);
  expect(() => read("timeout: 1")).toThrow(/is no known key/);
  expect(() => read(`config: ${"x".repeat(70_000)}`)).toThrow(/more than 65536 bytes/);
});
