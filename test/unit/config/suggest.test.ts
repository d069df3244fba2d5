import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { didYouMean, editDistance, nearest } from "../../../src/config/suggest.js";

describe("editDistance", () => {
  test.each([
    ["", "", 0],
    ["port", "port", 0],
    ["prot", "port", 1],
    ["por", "port", 1],
    ["ports", "port", 1],
    ["kitten", "sitting", 3],
  ])("%s → %s: %i", (a, b, distance) => expect(editDistance(a, b)).toBe(distance));

  test("is symmetric, zero only for equal words, and at most the longer length", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

test("nearest takes case and dashes lightly and refuses far words", () => {
  expect(nearest("Drain_Timeout", ["drain-timeout", "drain-delay"])).toBe("drain-timeout");
  expect(nearest("banana", ["port", "host"])).toBeUndefined();
  expect(nearest("x".repeat(10_000), ["x"])).toBeUndefined();
  expect(didYouMean("prot", ["port"], "--")).toBe(" (did you mean --port?)");
});
