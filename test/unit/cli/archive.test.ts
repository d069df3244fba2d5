import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { builtProbe } from "../../../src/models/prepare.js";
import { buildZip, torchScript } from "../archive/zip-builder.js";
import { fakeTerminal } from "./fake-terminal.js";

const fixtures = join(import.meta.dirname, "../../fixtures/archiver");
const root = mkdtempSync(join(tmpdir(), "sconce-cli-archive-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let out = "";
beforeEach(() => (out = mkdtempSync(join(root, "out-"))));

async function sconce(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal();
  const code = await run(["archive", ...words], terminal.terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

const net = join(fixtures, "folder/net.pt");
const create = (...more: string[]) =>
  sconce("create", "--model-name", "net", "-v", "1.0", "--serialized-file", net, "--export-path", out, ...more);

describe("create", () => {
  test("torch-model-archiver's flags, then inspect, verify and extract", async () => {
    const made = await create("--handler", "base_handler");
    const path = join(out, "net.mar");
    expect(made).toMatchObject({ code: 0, err: "" });
    const [, sha256 = ""] = /^sha256 (\w{64})$/m.exec(made.out) ?? [];
    const shown = await sconce("inspect", path, "--no-probe");
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/net 1\.0[^]*libtorch, in process[^]*every file is as it was packed[^]*net\.pt[^]*ok:/);
    expect(await sconce("verify", path, "--no-probe", "--sha256", sha256)).toMatchObject({ code: 0, err: "" });
    expect(await sconce("extract", path, join(out, "x"))).toMatchObject({ code: 0 });
    expect(readdirSync(join(out, "x")).sort()).toEqual(["MAR-INF", "net.pt"]);
    expect(readFileSync(join(out, "x/net.pt"))).toEqual(readFileSync(net));
  });

  test("an empty option is none; a pattern without a match is a note", async () => {
    const words = ["--handler", "base_handler", "--config-file", "", "--requirements-file=", "--extra-files", "*.none"];
    expect(await create(...words)).toMatchObject({ code: 0, err: "note: --extra-files: no file matches *.none\n" });
  });

  test("where it comes from: packed, inspected, and refused where it is no text", async () => {
    const words = ["--handler", "base_handler", "--run", "17", "--commit", "9f86d08", "--data-digest", "sha256:00"];
    expect(await create(...words, "--torch-version", "99.1")).toMatchObject({ code: 0, err: "" });
    const shown = await sconce("inspect", join(out, "net.mar"), "--no-probe", "--json");
    const lineage = { run: "17", commit: "9f86d08", dataDigest: "sha256:00", torchVersion: "99.1" };
    expect(JSON.parse(shown.out)).toMatchObject({ manifest: { lineage }, spec: { lineage } });
    expect((await sconce("inspect", join(out, "net.mar"), "--no-probe")).out).toContain('"commit":"9f86d08"');
    const wrong = await create("--handler", "base_handler", "-f", "--torch-version", "new");
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("such as 2.14.1")]);
  });

  test.skipIf(!existsSync(builtProbe))(
    "declared inputs that the model does not take are refused by verify",
    async () => {
      const config = join(out, "c.yaml");
      writeFileSync(
        config,
        "sconce: {inputs: [{name: p, dtype: float32, shape: [1]}, {name: q, dtype: float32, shape: [1]}]}",
      );
      expect((await create("--handler", "base_handler", "-c", config)).code).toBe(0);
      const verdict = await sconce("verify", join(out, "net.mar"));
      expect(verdict.code).toBe(3);
      expect(verdict.err).toMatch(/2 inputs are declared \(sconce\.inputs\), but the model is forward\(\w+\)/);
    },
  );

  test("what sconce would not serve is packed with a note", async () => {
    const handler = join(out, "mine");
    writeFileSync(`${handler}.so`, "");
    const made = await create("--handler", handler, "--runtime", "LSP", "--json");
    expect(made.code).toBe(0);
    expect(JSON.parse(made.out)).toMatchObject({ refused: expect.stringMatching(/LSP/) as string });
    expect((await create("--handler", handler, "--runtime", "LSP", "-f")).err).toMatch(/note: packed, but/);
  });

  test.each<[string, readonly string[], RegExp]>([
    ["no handler", [], /needs --handler/],
    ["a format that is none", ["--handler", "base_handler", "--archive-format", "zipstore"], /did you mean zip-store/],
    ["a runtime that is none", ["--handler", "base_handler", "--runtime", "java"], /python, python3, LSP/],
    ["a flag that is none", ["--handlr", "x"], /unknown option --handlr/],
    ["a word too many", ["x", "--handler", "base_handler"], /unexpected "x"/],
  ])("%s is a matter of usage", async (_, words, message) => {
    const made = await create(...words);
    expect(made.code).toBe(2);
    expect(made.err).toMatch(message);
    expect(readdirSync(out)).toEqual([]);
  });
});

describe("verify", () => {
  test.each<[string, string, RegExp]>([
    ["a C++ model", "cpp.mar", /refused: .*LSP/],
    ["no archive", "pack.py", /refused: .*comes in an archive/],
    ["no file", "none.mar", /no such file/],
  ])("%s: 3, with the reason", async (_, file, words) => {
    const { code, err } = await sconce("verify", join(fixtures, file), "--no-probe");
    expect(code).toBe(3);
    expect(err).toMatch(words);
  });

  test("a byte that was changed inside", async () => {
    const bytes = buildZip([
      ...torchScript().map((entry) => ({ ...entry, name: entry.name })),
      { name: "MAR-INF/SHA256SUMS", data: `${"0".repeat(64)}  m/data.pkl\n` },
    ]);
    writeFileSync(join(out, "a.mar"), bytes);
    expect(await sconce("verify", join(out, "a.mar"))).toMatchObject({ code: 3 });
  });

  test("another digest than asked for, before anything is unpacked", async () => {
    const { code, err } = await sconce("verify", join(fixtures, "deflated.mar"), "--sha256", "0".repeat(64));
    expect(code).toBe(3);
    expect(err).toMatch(/its SHA-256 is \w{64}, expected 0{64}/);
    expect((await sconce("verify", join(fixtures, "deflated.mar"), "--sha256", "12")).code).toBe(2);
    expect((await sconce("verify", join(fixtures, "folder"), "--sha256", "0".repeat(64))).code).toBe(2);
  });

  test("--json says the same", async () => {
    const good = await sconce("verify", join(fixtures, "deflated.mar"), "--no-probe", "--json");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.out)).toMatchObject({ ok: true, runtime: "libtorch", spec: { name: "deflated" } });
    const bad = await sconce("verify", join(fixtures, "cpp.mar"), "--no-probe", "--json");
    expect(bad.code).toBe(3);
    expect(JSON.parse(bad.out)).toMatchObject({
      ok: false,
      refused: expect.stringMatching(/LSP/) as string,
    });
  });
});

describe("extract", () => {
  test("refuses a folder that is there, and what is no archive", async () => {
    expect((await sconce("extract", join(fixtures, "deflated.mar"), out)).err).toMatch(/is there already/);
    expect((await sconce("extract", net, join(out, "x"))).err).toMatch(/is not an archive/);
  });

  test("of a tar archive the folder around everything is left out", async () => {
    await sconce("extract", join(fixtures, "tarred.tar.gz"), join(out, "x"));
    expect(readdirSync(join(out, "x")).sort()).toEqual(["MAR-INF", "config.yaml", "net.pt"]);
    expect(readdirSync(out)).toEqual(["x"]);
  });

  test("a hostile archive leaves nothing", async () => {
    writeFileSync(join(out, "a.mar"), buildZip([{ name: "fine" }, { name: "l", mode: 0o120_777, data: "fine" }]));
    const { code, err } = await sconce("extract", join(out, "a.mar"), join(out, "x"));
    expect({ code, there: readdirSync(out) }).toEqual({ code: 3, there: ["a.mar"] });
    expect(err).toMatch(/is a link/);
  });
});

test("commands that are none", async () => {
  expect(await sconce()).toMatchObject({ code: 2, err: expect.stringMatching(/create, inspect/) as string });
  expect(await sconce("inspct")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/did you mean inspect/) as string,
  });
  cpSync(net, join(out, "bare.pt"));
  expect((await sconce("inspect", join(out, "bare.pt"), "--no-probe")).out).toMatch(/bare 1\.0[^]*not declared/);
  expect(existsSync(join(out, "bare.pt"))).toBe(true);
});
