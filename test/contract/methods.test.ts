/** The real probe describes the methods of what torch-model-archiver packed. Needs the native build, no server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inspectArchive } from "../../src/archive/inspect.js";
import { builtProbe } from "../../src/models/prepare.js";

const root = mkdtempSync(join(tmpdir(), "sconce-methods-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024 };
const look = (path: string) => inspectArchive(path, { defaults, probeTimeoutMs: 60_000, probeProgram: builtProbe });

test("argument names and types of TorchScript", async () => {
  const found = await look(join(import.meta.dirname, "../fixtures/archiver/deflated.mar"));
  expect(found.refused).toBeUndefined();
  expect(found.methods).toEqual([
    { name: "forward", arguments: [{ name: "input", type: "Tensor", default: false }], returns: "Tensor" },
  ]);
});

test("a file that does not load says why, under the archive's name", async () => {
  const path = join(import.meta.dirname, "../e2e/models/missing_op.pt");
  const found = await look(path);
  expect(found.refused?.startsWith(`${path}: `)).toBe(true);
  expect(found.tried).toBe(true);
});
