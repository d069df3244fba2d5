import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { inspectArchive, type InspectOptions } from "../../../src/archive/inspect.js";

const fixtures = join(import.meta.dirname, "../../fixtures/archiver");
const root = mkdtempSync(join(tmpdir(), "sconce-inspect-test-"));
const temporary = process.env["TMPDIR"];
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => (process.env["TMPDIR"] = join(root)));
afterEach(() => {
  if (temporary === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = temporary;
});

const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024 };
const look = (file: string, more: Partial<InspectOptions> = {}) =>
  inspectArchive(join(fixtures, file), { defaults, probeTimeoutMs: 10_000, ...more });

function probeThat(says: string): string {
  const path = join(root, "probe");
  writeFileSync(path, `#!/bin/bash\necho '${says}'\n`);
  chmodSync(path, 0o755);
  return path;
}

test("an archive that loads, with its methods", async () => {
  const method = { name: "forward", arguments: [{ name: "x", type: "Tensor", default: false }], returns: "Tensor" };
  const probeProgram = probeThat(JSON.stringify({ file: "m", valid: true, methods: [method] }));
  const found = await look("tarred.tar.gz", { probeProgram });
  expect(found).toMatchObject({
    form: "archive",
    runtime: "libtorch",
    handler: "base_handler",
    digests: false,
    tried: true,
    methods: [method],
    spec: { name: "tarred", batchSize: 4 },
    manifest: { modelName: "tarred" },
  });
  expect(found.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(found.files).toContainEqual({ name: "net.pt", bytes: 2687 });
  expect(found.refused).toBeUndefined();
  expect(readdirSync(root)).toEqual(["probe"]);
});

test("without a probe nothing is tried", async () => {
  expect(await look("folder")).toMatchObject({ form: "folder", tried: false, methods: [] });
});

test.each([
  ["cpp.mar", "cpp", /runtime is LSP/],
  ["checkpoint.mar", "libtorch", /checkpoint/],
] as const)("%s says what would run it and why it is refused", async (file, runtime, words) => {
  expect(await look(file)).toMatchObject({
    runtime,
    refused: expect.stringMatching(words) as string,
    manifest: { modelVersion: "1.0" },
  });
});

test.each(["eager.mar", "handler-only.tar.gz"])("%s needs Python, which is not tried", async (file) => {
  const found = await look(file);
  expect(found).toMatchObject({ runtime: "python", tried: false, spec: { kind: "python" } });
  expect(found.refused).toBeUndefined();
});

test("what the probe says names the archive, not a folder that is gone", async () => {
  const probeProgram = probeThat(JSON.stringify({ file: "m", valid: false, reason: "unknown op foo::bar" }));
  const { refused } = await look("deflated.mar", { probeProgram });
  expect(refused).toBe(`${join(fixtures, "deflated.mar")}: unknown op foo::bar`);
});

test("what cannot be read is no inspection, and leaves nothing", async () => {
  const before = readdirSync(root);
  await expect(look("pack.py")).rejects.toMatchObject({ code: "invalid_model" });
  expect(readdirSync(root)).toEqual(before);
});
