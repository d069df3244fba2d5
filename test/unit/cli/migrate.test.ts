import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { buildZip } from "../archive/zip-builder.js";
import { fakeTerminal } from "./fake-terminal.js";

const root = mkdtempSync(join(tmpdir(), "sconce-migrate-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const digits = join(import.meta.dirname, "../../../examples/digits/digits.mar");

/** Pythons that say what they have, one of them all that a worker needs. */
const able = join(root, "able");
const without = join(root, "without");

async function check(folder: string, words: readonly string[] = [], python = without) {
  const { terminal, out, err } = fakeTerminal({ env: { TMPDIR: root } });
  const code = await run(["migrate", "check", folder, "--no-probe", "--python", python, ...words], terminal);
  return { code, out: out(), err: err() };
}

/** A deployment with a model of each kind. */
beforeAll(() => {
  const store = join(root, "full", "model-store");
  mkdirSync(store, { recursive: true });
  copyFileSync(digits, join(store, "digits.mar"));
  const model = { modelName: "bert", modelVersion: "2.0", serializedFile: "m.bin", handler: "handler.py" };
  const manifest = JSON.stringify({ runtime: "python", model });
  const python = [
    { name: "MAR-INF/MANIFEST.json", data: manifest },
    { name: "m.bin", data: "x" },
    { name: "handler.py", data: "pass" },
  ];
  writeFileSync(join(store, "bert.mar"), buildZip(python));
  writeFileSync(join(store, "torn.mar"), "not a zip");
  writeFileSync(join(store, "README"), "no model");
  const found = { torch: "2.13.0", torchserve: null, pyyaml: "6", psutil: "5", packaging: "24" };
  const facts = { executable: "/usr/bin/python3", version: "3.11.2", home: "/site", found };
  const says = (said: object): string => `#!/bin/sh\necho '${JSON.stringify(said)}'\n`;
  writeFileSync(without, says(facts), { mode: 0o755 });
  writeFileSync(able, says({ ...facts, found: { ...found, torchserve: "0.12.0" } }), { mode: 0o755 });
  writeFileSync(
    join(root, "full", "config.properties"),
    "model_store=/home/model-server/model-store\njob_queue_size=10\nworkflow_store=/wf-store\n",
  );
});

describe("sconce migrate check", () => {
  test("says of each model whether it works, needs Python, or will not, and of the configuration what is not used", async () => {
    const { code, out } = await check(join(root, "full"));
    expect(code).toBe(1);
    expect(out).toMatch(/config\.properties is read as it is\.$/m);
    expect(out).toMatch(/config\.properties:3: workflow_store is not used/);
    expect(out).toMatch(/^digits 1\.0 +works +\S+digits\.mar$/m);
    expect(out).toMatch(/^bert 2\.0 +needs Python +Python runs this model, .* lacks torchserve; add with: /m);
    expect(out).toMatch(/^\S+torn\.mar +will not work +/m);
    expect(out).not.toContain("README");
  });

  test("a handler in Python works where there is a Python for it", async () => {
    const { out } = await check(join(root, "full"), [], able);
    expect(out).toMatch(
      /^bert 2\.0 +works +in a Python worker: .*python3 3\.11\.2, torch 2\.13\.0, torchserve 0\.12\.0/m,
    );
  });

  test("as data", async () => {
    const { out } = await check(join(root, "full"), ["--json"]);
    const report = JSON.parse(out) as { readonly models: readonly { readonly verdict: string }[] };
    expect(report.models.map(({ verdict }) => verdict)).toEqual(["needs Python", "works", "will not work"]);
    expect(report).toMatchObject({ store: join(root, "full", "model-store") });
  });

  test("a deployment that moves unchanged is exit code 0", async () => {
    const folder = join(root, "good");
    mkdirSync(folder);
    copyFileSync(digits, join(folder, "digits.mar"));
    expect((await check(folder)).code).toBe(0);
  });

  test("a configuration that would not start is said with its line", async () => {
    const folder = join(root, "bad");
    mkdirSync(folder);
    writeFileSync(join(folder, "config.properties"), "job_queue_size=lots\n");
    const { code, out } = await check(folder);
    expect(code).toBe(1);
    expect(out).toMatch(/would end the start: .*config\.properties:1: job_queue_size: "lots" is not allowed/);
    expect(out).toContain("No model store with models was found.");
  });

  test.each([
    [["migrate"], "migrate takes check DIR"],
    [["migrate", "check"], "takes one folder"],
    [["migrate", "check", "/no/such/folder"], "is no folder"],
  ])("%j is a usage error", async (words, message) => {
    const { terminal, err } = fakeTerminal();
    expect(await run(words, terminal)).toBe(2);
    expect(err()).toContain(message);
  });
});
