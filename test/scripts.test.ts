/** The scripts that decide whether a run passed: a failure must never be counted away. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sconce-scripts-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function tally(files: Record<string, string>): { code: number | null; last: string; output: string } {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const result = spawnSync(process.execPath, [join(root, "scripts/lib/tally.mjs"), folder], { encoding: "utf8" });
  return { code: result.status, last: result.stdout.trimEnd().split("\n").at(-1) ?? "", output: result.stdout };
}

const vitest = (...statuses: string[]): string =>
  JSON.stringify({
    testResults: [
      {
        name: join(root, "test/a.test.ts"),
        status: "passed",
        assertionResults: statuses.map((status, i) => ({ status, fullName: `case ${i}` })),
      },
    ],
  });

describe("tally", () => {
  test("adds vitest, ctest and lanes", () => {
    const junit = `<testsuite name="x"><testcase name="A.b" classname="A.b" time="0" status="run"/>
      <testcase name="A.c" classname="A.c" time="0" status="notrun"><skipped message="no GPU"/></testcase></testsuite>`;
    const { code, last, output } = tally({
      "v.json": vitest("passed", "skipped"),
      "cpp.xml": junit,
      "l.lane": "passed\tlint\t\n",
    });
    expect({ code, last }).toEqual({ code: 0, last: "3 passed, 0 failed, 2 skipped" });
    expect(output).toContain("cpp: A.c (no GPU)");
  });

  test("fails on one failure of any runner", () => {
    const junit = `<testsuite><testcase name="A.b" classname="A.b" time="0" status="fail"><failure message=""/></testcase></testsuite>`;
    expect(tally({ "v.json": vitest("passed"), "cpp.xml": junit })).toMatchObject({
      code: 1,
      last: "1 passed, 1 failed, 0 skipped",
    });
    expect(tally({ "cpp.xml": "", "l.lane": "failed\tlint\twhy\n" })).toMatchObject({
      code: 1,
      last: "1 passed, 1 failed, 0 skipped",
    });
  });

  test("names what failed, and in which run of the same file", () => {
    const { last, output } = tally({ "vitest.json": vitest("passed"), "node22.json": vitest("failed") });
    expect(last).toBe("1 passed, 1 failed, 0 skipped");
    expect(output).toContain("FAILED:\n  node22: test/a.test.ts: case 0");
  });

  test("fails when nothing ran, and counts a test file that did not load", () => {
    expect(tally({})).toMatchObject({ code: 1, last: "0 passed, 0 failed, 0 skipped" });
    const broken = {
      testResults: [
        { name: join(root, "test/b.test.ts"), status: "failed", message: "SyntaxError", assertionResults: [] },
      ],
    };
    expect(tally({ "v.json": JSON.stringify(broken), "l.lane": "passed\tx\t\n" })).toMatchObject({
      code: 1,
      last: "1 passed, 1 failed, 0 skipped",
    });
  });
});

describe("gpu-check's report", () => {
  const figure = '{"model":"bert","precision":"fp16","batch":8,"compute":2,"copies":1,"lanes_1":1,"lanes_2":1}\n';
  function report(checks: string, bench: string, tests: string): { code: number | null; output: string } {
    for (const [name, text] of Object.entries({ checks, bench })) writeFileSync(join(folder, name), text);
    const words = ["result.json", "checks", "bench"].map((name) => join(folder, name));
    const script = join(root, "bench/gpu/report.py");
    const result = spawnSync("python3", [script, ...words, tests, "c0ffee", "no"], { encoding: "utf8" });
    return { code: result.status, output: result.stdout };
  }
  const written = (): Record<string, unknown> =>
    JSON.parse(readFileSync(join(folder, "result.json"), "utf8")) as Record<string, unknown>;

  test("holds checks, figures, machine and commit", () => {
    expect(report("passed a b\nnoise\n", `{"copy_bytes":1,"in":2}\n${figure}`, "passed")).toEqual({
      code: 0,
      output: "",
    });
    expect(written()).toMatchObject({ commit: "c0ffee", changed: false, checks: [{ name: "a b", outcome: "passed" }] });
    expect(written()).toMatchObject({ copies_gb_per_s: { in: 2 }, samples_per_s: [{ model: "bert" }] });
    expect(written()["machine"]).toMatchObject({ cores: expect.any(Number) as number, gpus: expect.any(Array) as [] });
  });

  test("names what was skipped, loudly, and is no failure", () => {
    const { code, output } = report("skipped a: no GPU: none\n", '{"skipped":"no GPU"}\n', "GoogleTest is missing");
    expect({ code, output }).toEqual({
      code: 0,
      output: "SKIPPED a\nSKIPPED native tests (GoogleTest is missing)\nSKIPPED bench (no GPU)\n",
    });
  });

  test.each([
    ["a check", "passed a\nfailed b: 1 != 2\n", figure, "passed", "FAILED  b\n"],
    ["the native tests", "passed a\n", figure, "failed", "FAILED  native tests\n"],
    ["a bench that broke off", "passed a\n", "", "passed", "FAILED  bench\n"],
    ["checks that never ran", "failed to start: why\n", figure, "passed", "FAILED  to start\n"],
    ["no checks", "", figure, "passed", "FAILED  sconce_gpu_check ran no check\n"],
  ])("%s fails it", (_, checks, bench, tests, output) => {
    expect(report(checks, bench, tests)).toEqual({ code: 1, output });
  });
});

describe("setup's parts", () => {
  const bash = (script: string): string =>
    execFileSync(
      "bash",
      ["-c", `set -uo pipefail; . scripts/lib/say.sh; . scripts/lib/system.sh; . scripts/lib/torch.sh; ${script}`],
      { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    ).trim();

  test("versions compare by number", () => {
    expect(bash("at_least 20.20.1 20.17 && echo yes; at_least 3.9 3.25 || echo no; at_least 12 12 && echo yes")).toBe(
      "yes\nno\nyes",
    );
  });

  test("a command that fails keeps its code and shows its log", () => {
    const result = spawnSync(
      "bash",
      ["-c", `. scripts/lib/say.sh; quietly ${folder}/log bash -c 'echo the reason; exit 3'`],
      { cwd: root, encoding: "utf8" },
    );
    expect(result.status).toBe(3);
    expect(result.stderr).toContain("the reason");
  });

  test("LIBTORCH wins, and is refused when it is none", () => {
    mkdirSync(join(folder, "lib"), { recursive: true });
    mkdirSync(join(folder, "include/torch/headeronly"), { recursive: true });
    writeFileSync(join(folder, "lib/libtorch_cpu.so"), "");
    writeFileSync(join(folder, "include/torch/headeronly/version.h"), "");
    expect(bash(`LIBTORCH=${folder}; find_libtorch`)).toBe(folder);
    expect(() => bash(`LIBTORCH=${folder}/lib; find_libtorch`)).toThrow(/has no lib\/libtorch_cpu\.so/);
  });

  test("an old compiler is found out", () => {
    writeFileSync(join(folder, "g++"), "#!/bin/sh\necho 11.4.0\n");
    chmodSync(join(folder, "g++"), 0o755);
    expect(bash(`PATH=${folder}:$PATH; have_compiler && echo fine || echo old`)).toBe("old");
  });
});
