import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { glob, hasPattern } from "../../../src/archive/glob.js";

const root = mkdtempSync(join(tmpdir(), "sconce-glob-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "sub"));
for (const name of ["a1.txt", "a2.txt", "b1.txt", "a+.txt", ".hidden.txt", "sub/a3.txt"])
  writeFileSync(join(root, name), "");

test.each<[string, readonly string[]]>([
  ["a1.txt", ["a1.txt"]],
  ["missing.txt", []],
  ["*.txt", ["a+.txt", "a1.txt", "a2.txt", "b1.txt"]],
  ["a?.txt", ["a+.txt", "a1.txt", "a2.txt"]],
  ["[ab]1.txt", ["a1.txt", "b1.txt"]],
  ["[!a]1.txt", ["b1.txt"]],
  ["a[0-9].txt", ["a1.txt", "a2.txt"]],
  ["a+.*", ["a+.txt"]],
  [".*.txt", [".hidden.txt"]],
  ["*/*.txt", ["sub/a3.txt"]],
  ["s*", ["sub"]],
])("%s", async (pattern, expected) => {
  expect(await glob(`${root}/${pattern}`)).toEqual(expected.map((each) => join(root, each)));
});

test("a word without a pattern is itself where it exists, dots and all", async () => {
  for (const word of [".", "./", "..", "./package.json"]) expect(await glob(word)).toEqual([word]);
  expect(await glob("./none")).toEqual([]);
});

test("a word without a pattern is none", () => {
  expect(["a*", "a?", "[ab]", "a[", "plain.txt"].map(hasPattern)).toEqual([true, true, true, false, false]);
});
