import { expect, test } from "vitest";
import { table } from "../../../src/cli/table.js";

test("columns are as wide as their cells; control characters cannot break a line", () => {
  const text = table(
    ["name", "state", "why"],
    [
      ["digits", "ready", ""],
      ["a", "failed", "no\nfile\u001b[31m"],
    ],
    { colorOut: false },
  );
  expect(text).toBe("name    state   why\ndigits  ready\na       failed  no file [31m\n");
});
