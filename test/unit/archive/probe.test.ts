import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hasProbe, probe, verdictOf } from "../../../src/archive/probe.js";

const root = mkdtempSync(join(tmpdir(), "sconce-probe-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const model = join(root, "m.pt");
writeFileSync(model, "x");
let serial = 0;

/** A program that behaves as the probe could; it notes its runs beside itself. */
function program(body: string): { program: string; cache: string; runs: () => number } {
  const own = join(root, String(serial++));
  const notes = `${own}.runs`;
  writeFileSync(own, `#!/bin/bash\necho run >> ${notes}\n${body}\n`);
  writeFileSync(notes, "");
  chmodSync(own, 0o755);
  return { program: own, cache: `${own}.cache`, runs: () => readFileSync(notes, "utf8").split("\n").length - 1 };
}

const good = `echo '{"file":"m.pt","valid":true}'`;
const run = (
  child: { program: string; cache: string },
  more: { timeoutMs?: number; signal?: AbortSignal; remembered?: boolean } = {},
) =>
  probe(model, "hash", more.remembered ?? true, {
    program: child.program,
    cache: child.cache,
    libtorch: "2.13.0",
    timeoutMs: more.timeoutMs ?? 20_000,
    ...(more.signal ? { signal: more.signal } : {}),
  });

describe("probe", () => {
  test("a good verdict is remembered, unless every run is asked for", async () => {
    const child = program(good);
    await run(child);
    await run(child);
    expect(child.runs()).toBe(1);
    await run(child, { remembered: false });
    expect(child.runs()).toBe(2);
    expect(readdirSync(join(child.cache, "verdicts"))).toEqual(["hash-2.13.0"]);
  });

  test.each<[string, string, RegExp]>([
    ["says why", `echo '{"file":"m.pt","valid":false,"reason":"unknown op foo::bar"}'`, /m\.pt: unknown op foo::bar/],
    ["names the file itself", `echo '{"valid":false,"reason":"${model}: bad"}'`, /^(?!.*m\.pt.*m\.pt).*m\.pt: bad/],
    ["segfaults", "kill -SEGV $$", /crashed on it \(SIGSEGV\)/],
    ["aborts after a good word", `${good}; kill -ABRT $$`, /crashed on it \(SIGABRT\)/],
    ["ends with a code", "echo 'cannot open libtorch' >&2; exit 127", /code 127 \(cannot open libtorch\)/],
    ["says nothing", "true", /ended with code 0/],
    ["says no JSON", "echo '{nonsense'", /ended with code 0/],
  ])("a probe that %s fails the model, and is not remembered", async (_, body, words) => {
    const child = program(body);
    await expect(run(child)).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(words) as string,
    });
    await expect(run(child)).rejects.toThrow();
    expect(child.runs()).toBe(2);
  });

  test("a probe that hangs is ended by its time limit", async () => {
    await expect(run(program("exec sleep 60"), { timeoutMs: 100 })).rejects.toThrow(
      /within 0\.1 s \(--probe-timeout\)/,
    );
  });

  test("a cancelled load ends the probe", async () => {
    const abort = new AbortController();
    const running = run(program("exec sleep 60"), { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    // Nor is one begun that would run to its end.
    const before = run(program("exec sleep 60"), { signal: AbortSignal.abort() });
    await expect(before).rejects.toMatchObject({ code: "cancelled" });
  });

  test("gets none of the server's environment", async () => {
    process.env["SCONCE_TEST_SECRET"] = "s3cret";
    const child = program(`env > ${root}/env; ${good}`);
    await run(child);
    delete process.env["SCONCE_TEST_SECRET"];
    expect(readFileSync(join(root, "env"), "utf8")).not.toContain("s3cret");
  });

  test("a program that is not there", async () => {
    expect(await hasProbe(join(root, "none"))).toBe(false);
    await expect(run({ program: join(root, "none"), cache: join(root, "c") })).rejects.toMatchObject({
      code: "internal",
    });
  });
});

test("a crash counts more than what was said before it", () => {
  expect(verdictOf('{"valid":true}\n', null, "SIGSEGV", "")).toMatch(/SIGSEGV/);
  expect(verdictOf('{"valid":true}\n', 0, null, "")).toBeUndefined();
});
