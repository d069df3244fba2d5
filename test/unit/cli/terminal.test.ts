import { isatty } from "node:tty";
import { expect, test } from "vitest";
import { paint, realTerminal, wrap } from "../../../src/cli/terminal.js";

test("wrap breaks at spaces and keeps long words whole", () => {
  expect(wrap("aa bb cc", 5)).toEqual(["aa bb", "cc"]);
  expect(wrap("abcdefgh a", 3)).toEqual(["abcdefgh", "a"]);
  expect(wrap("", 3)).toEqual([]);
});

test("paint", () => {
  expect(paint(true, "red", "x")).toBe("\u001b[31mx\u001b[0m");
  expect(paint(false, "red", "x")).toBe("x");
});

test("no colours without a terminal", () => {
  if (isatty(1)) return;
  expect(realTerminal()).toMatchObject({ colorOut: false, interactive: false });
});
