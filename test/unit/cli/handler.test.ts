import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

const fixtures = join(import.meta.dirname, "../../fixtures/script-handlers");
const root = mkdtempSync(join(tmpdir(), "sconce-cli-handler-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function sconce(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal();
  const code = await run(["handler", ...words], terminal.terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

describe("new", () => {
  test("writes a handler and a configuration, and never over another one", async () => {
    const folder = join(root, "made");
    expect((await sconce("new", folder)).code).toBe(0);
    expect(readFileSync(join(folder, "model-config.yaml"), "utf8")).toMatch(/^handler: handler.ts$/m);
    expect((await sconce("new", folder)).err).toMatch(/handler.ts is there already/);
    const next = await sconce("new", folder, "--javascript");
    expect(next.err).toMatch(/model-config.yaml is yours: add "handler: handler.mjs"/);
    expect(existsSync(join(folder, "handler.mjs"))).toBe(true);
  });
});

describe("types", () => {
  test("says what the model declares", async () => {
    const { code, out } = await sconce("types", join(fixtures, "tricks"));
    expect(code).toBe(0);
    expect(out).toContain(
      'readonly "x": { readonly dtype: "float32"; readonly shape: readonly [16]; readonly data: Float32Array };',
    );
    expect(out).toContain('export type ModelOutputs = readonly [OutputTensor & { readonly name: "y" }];');
  });

  test("there are none without a model", async () => {
    const folder = join(root, "alone");
    await sconce("new", folder);
    expect(await sconce("types", folder)).toMatchObject({ code: 2, err: expect.stringMatching(/has no model file/) });
  });

  test("a model that declares nothing has those of its forward", async () => {
    const folder = join(root, "bare");
    cpSync(join(fixtures, "plain"), folder, { recursive: true });
    writeFileSync(join(folder, "model-config.yaml"), "handler: handler.mjs\n");
    const { code, out } = await sconce("types", folder);
    expect([code, out]).toEqual([0, expect.stringContaining('readonly "x": Tensor;')]);
  });
});

test("a command and its words are needed", async () => {
  expect((await sconce()).err).toMatch(/handler needs a command: new, types, test/);
  expect((await sconce("new")).err).toMatch(/expected FOLDER/);
  expect((await sconce("new", "a", "b")).err).toMatch(/unexpected "b"/);
  expect((await sconce("nwe")).err).toMatch(/unknown command "handler nwe" \(did you mean new\?\)/);
  expect((await sconce("test", join(root, "none"))).err).toMatch(/none: no such file or folder/);
  expect((await sconce("test", join(fixtures, "tricks"))).err).toMatch(/holds no samples/);
  expect((await sconce("test", join(fixtures, "tricks", "handler.ts"))).err).toMatch(/--samples is needed/);
});
