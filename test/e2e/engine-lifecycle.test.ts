/**
 * The engine in processes of their own: any order of open, load, predict, unload and exit ends with the expected code;
 * worker threads come, go and are terminated in flight. A crash shows as a signal. Runs dist/ (npm run build:ts).
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { buildEngine } from "../../src/config/build-commands.js";

const root = join(import.meta.dirname, "../..");
const scripts = join(import.meta.dirname, "lifecycle");
/** Another Node to run the scripts with, for checks on several versions. */
const node = process.env["SCONCE_TEST_NODE"] ?? process.execPath;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

function run(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      node,
      ["--expose-gc", join(scripts, script), ...args],
      { env: { ...process.env, ...env }, timeout: 60_000 },
      (_error, out, err) => resolve({ code: child.exitCode, signal: child.signalCode, out, err }),
    );
  });
}

const fine = { code: 0, signal: null, err: "" };

describe("orders", () => {
  test.each([
    "open",
    "open exit",
    "open load",
    "open load discard",
    "open channel load publish predict",
    "open load publish channel predict remove predict-none",
    "open load publish channel send exit",
    "open load publish channel send close exit",
    "open load publish channel turn close remove",
    "open load publish channel turn exit",
    "open load publish channel predict send removing exit",
    "open load publish channel predict close gc remove load publish channel predict",
    "open loading exit",
    "open load loading exit",
  ])("%s", async (words) => {
    const ended = await run("orders.mjs", words.replace(" predict-none", "").split(" "));
    expect(ended).toMatchObject({ ...fine, out: "done\n" });
  });

  test("any order that makes sense", { timeout: 300_000 }, async () => {
    const routed = fc.constantFrom("predict", "send", "turn", "channel", "close", "gc", "loading");
    const tail = fc.constantFrom(
      [],
      ["exit"],
      ["remove"],
      ["removing"],
      ["removing", "exit"],
      ["close", "remove", "exit"],
    );
    const order = fc
      .tuple(fc.uniqueArray(routed, { maxLength: 5 }), tail, fc.boolean())
      .map(([middle, end, early]) => ["open", ...(early ? ["channel"] : []), "load", "publish", ...middle, ...end]);
    await fc.assert(
      fc.asyncProperty(order, async (words) => {
        expect(await run("orders.mjs", words)).toMatchObject(fine);
      }),
      { numRuns: 12 },
    );
  });
});

describe("worker threads", () => {
  test.each(["together", "fifty", "flight", "unload", "exit"])("%s", { timeout: 120_000 }, async (which) => {
    expect(await run("workers.mjs", [which])).toMatchObject({ ...fine, out: "done\n" });
  });
});

describe("another libtorch", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-libtorch-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const built = (): { version: string; libtorch: string } =>
    JSON.parse(readFileSync(join(root, "build/Release/sconce-build.json"), "utf8"));

  test("LIBTORCH of another version is named with the command that rebuilds", async () => {
    writeFileSync(join(folder, "version.py"), "__version__ = '2.10.7+cpu'\n");
    const { code, err } = await run("orders.mjs", ["open"], { LIBTORCH: folder });
    expect(code).toBe(1);
    expect(err).toContain(`built against libtorch ${built().version}, but ${folder} is libtorch 2.10.7`);
    expect(err).toContain(`LIBTORCH=${folder} ${buildEngine}`);
  });

  test("a libtorch that changed under the addon is found before it is loaded", async () => {
    const release = join(folder, "build/Release");
    const torch = join(folder, "torch");
    mkdirSync(release, { recursive: true });
    mkdirSync(join(torch, "lib"), { recursive: true });
    cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    symlinkSync(join(root, "build/Release/sconce.node"), join(release, "sconce.node"));
    const record = JSON.stringify({ ...built(), libtorch: torch });
    writeFileSync(join(release, "sconce-build.json"), record);
    const open = `import("${join(folder, "dist/engine/native.js")}").then((m) => m.openEngine())`;
    const attempt = (): Promise<string> =>
      new Promise((resolve) => execFile(node, ["-e", open], { env: {} }, (_error, _out, err) => resolve(err)));
    expect(await attempt()).toContain(`is not there any more: run bash ${folder}/scripts/install-engine`);
    writeFileSync(join(torch, "lib/libtorch_cpu.so"), "");
    writeFileSync(join(torch, "build-version"), "2.11.0\n");
    expect(await attempt()).toContain(`built against libtorch ${built().version}, but ${torch} is libtorch 2.11.0`);
  });
});
