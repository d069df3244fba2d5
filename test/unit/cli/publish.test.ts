import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { sha256Of } from "../../../src/archive/digests.js";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

const fixtures = join(import.meta.dirname, "../../fixtures/archiver");
const root = mkdtempSync(join(tmpdir(), "sconce-publish-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let store = "";
beforeEach(() => (store = mkdtempSync(join(root, "store-"))));

async function publish(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal();
  const code = await run(["publish", ...words, "--no-probe"], terminal.terminal);
  return { code, out: terminal.out(), err: terminal.err() };
}

const good = join(fixtures, "deflated.mar");
const other = join(fixtures, "stored.mar");

test("the archive is in the store, and its digest printed", async () => {
  const { code, out } = await publish(good, store);
  expect({ code, there: readdirSync(store) }).toEqual({ code: 0, there: ["deflated.mar"] });
  expect(readFileSync(join(store, "deflated.mar"))).toEqual(readFileSync(good));
  expect(out).toContain(`sha256 ${sha256Of(readFileSync(good))}`);
  expect((await publish(good, store)).out).toMatch(/is there already/);
});

test("other bytes under the same name only by force", async () => {
  await publish(good, store, "--name", "m.mar");
  const refused = await publish(other, store, "--name", "m.mar");
  expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/--force replaces it/) as string });
  expect(readFileSync(join(store, "m.mar"))).toEqual(readFileSync(good));
  expect((await publish(other, store, "--name", "m.mar", "-f")).code).toBe(0);
  expect(readFileSync(join(store, "m.mar"))).toEqual(readFileSync(other));
  expect(readdirSync(store)).toEqual(["m.mar"]);
});

test("of several writers of one name one succeeds", async () => {
  const both = await Promise.all([publish(good, store, "--name", "m.mar"), publish(other, store, "--name", "m.mar")]);
  expect(both.map((each) => each.code).sort()).toEqual([0, 2]);
  expect(readdirSync(store)).toEqual(["m.mar"]);
});

test.each<[string, () => readonly string[], number, RegExp]>([
  ["what a server would not load", () => [join(fixtures, "cpp.mar"), store], 3, /refused: .*LSP/],
  ["no archive", () => [junk(), store], 3, /refused: .*not a zip/],
  ["no file", () => [join(root, "none.mar"), store], 2, /there is no file/],
  ["no store", () => [good, join(root, "none")], 2, /there is no model store/],
  ["a name that climbs", () => [good, store, "--name", "../m.mar"], 2, /is no archive's name/],
  ["one word", () => [good], 2, /expected ARCHIVE STORE/],
])("%s is refused, and the store stays empty", async (_, words, code, message) => {
  const outcome = await publish(...words());
  expect(outcome.code).toBe(code);
  expect(outcome.err).toMatch(message);
  expect(readdirSync(store)).toEqual([]);
});

function junk(): string {
  const path = join(root, "junk.mar");
  writeFileSync(path, "hello");
  return path;
}
