import { expect, test } from "vitest";
import { decodeSegments, isModelName } from "../../../src/inference/path.js";

test("segments are decoded once, and a trailing slash is harmless", () => {
  expect(decodeSegments("/a/b%20c/")).toEqual(["a", "b c"]);
  expect(decodeSegments("/%2561")).toEqual(["%61"]);
  expect(decodeSegments("/")).toEqual([""]);
  expect(decodeSegments("/a//b")).toEqual(["a", "", "b"]);
});

test("control characters and escapes that are not UTF-8 are refused, written out or escaped", () => {
  for (const path of ["/a%00", "/a%0a", "/a\u007f", "/%ff", "/%"]) expect(decodeSegments(path)).toBeUndefined();
});

test("a name is letters, digits, dots, dashes and underscores", () => {
  for (const name of ["a", "resnet-18.v2_x", "9"]) expect(isModelName(name)).toBe(true);
  for (const name of ["", ".", "a/b", "a..b", "-a", "ä", "a".repeat(129)]) expect(isModelName(name)).toBe(false);
});
