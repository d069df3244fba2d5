import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openModel } from "../../../src/archive/open.js";
import { scriptWarnings } from "../../../src/archive/sagemaker.js";
import { buildZip, torchScript } from "./zip-builder.js";

const root = mkdtempSync(join(tmpdir(), "sconce-sagemaker-"));
afterAll(() => rmSync(root, { recursive: true }));

test("the script of SageMaker's PyTorch containers is said not to run; one beside a bare file is nobody's", async () => {
  const folder = join(root, "model");
  mkdirSync(join(folder, "code"), { recursive: true });
  const model = join(folder, "model.pth");
  writeFileSync(model, buildZip(torchScript()));
  expect(scriptWarnings(folder, folder)).toEqual([]);
  writeFileSync(join(folder, "code/inference.py"), "def model_fn(folder): ...");
  const defaults = { jobQueueSize: 1, responseTimeoutMs: 1, maxInstances: 1 };
  const open = async (path: string) => (await openModel({ path }, { cache: join(root, "cache"), defaults })).warnings;
  expect(await open(folder)).toEqual([expect.stringContaining(`${folder}: code/inference.py is not run`)]);
  expect(await open(model)).toEqual([]);
});
