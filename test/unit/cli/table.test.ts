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

test("a long cell moves its own line only", () => {
  const long = "x".repeat(41);
  const rows = [
    ["models", long, "default"],
    ["port", "8080", "--port"],
  ];
  const text = table(["option", "value", "from"], rows, { colorOut: false });
  expect(text).toBe(`option  value  from\nmodels  ${long}  default\nport    8080   --port\n`);
});
