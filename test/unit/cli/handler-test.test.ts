import { expect, test } from "vitest";
import { difference } from "../../../src/cli/handler-test.js";

const differ = (a: unknown, b: unknown): string | undefined => difference(a, b, 1e-3, "answer");

test("numbers may be off a little, absolutely or by their size; all else is equal or named", () => {
  expect(differ({ a: [1, 2000] }, { a: [1.0005, 2001.5] })).toBeUndefined();
  expect(differ({ a: [1] }, { a: [1.01] })).toBe("answer.a.0 is 1.01, expected 1");
  expect(differ({ a: "x" }, { a: "y" })).toBe('answer.a is "y", expected "x"');
  expect(differ({ a: 1 }, {})).toBe("answer.a is missing, expected 1");
  expect(differ({}, { b: null })).toBe("answer.b is null, expected missing");
  expect(differ([1], { 0: 1 })).toMatch(/^answer is /);
  expect(differ(null, null)).toBeUndefined();
});
