import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { maxLiterals, runLength, stressTexts } from "../../../src/tokenizer/stress.js";

test("a file without patterns is tried on nothing more", () => {
  const path = join(import.meta.dirname, "../../fixtures/text/wordpiece.json");
  expect(stressTexts(JSON.parse(readFileSync(path, "utf8")))).toEqual([]);
  expect(stressTexts({ model: { vocab: { Regex: "a+" } } })).toEqual([]);
});

test("runs of the patterns' own characters and of usual ones, at most so many", () => {
  const texts = stressTexts({ normalizer: { a: [{ pattern: { Regex: "(?:ж|x)+$" } }] } });
  const runs = texts.map((each) => each[0]);
  expect(runs).toEqual(expect.arrayContaining(["a", " ", "1", "ж", "x"]));
  expect(runs).not.toContain("(");
  expect(texts.every((each) => each.length === runLength + 1)).toBe(true);
  const many = String.fromCodePoint(...Array.from({ length: 500 }, (_, i) => 0x4e00 + i));
  expect(stressTexts({ Regex: many }).length).toBeLessThanOrEqual(maxLiterals + 12);
});
