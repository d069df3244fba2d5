import { expect, test } from "vitest";
import { Tally } from "../../../src/script/tally.js";

test("what has ended is told once, and how many are there when that changes", () => {
  const tally = new Tally();
  expect(tally.take(0)).toBeUndefined();
  tally.add("ok", 2, 3, 4, true);
  tally.add("cancelled", 1, 0, 0, false);
  const ended = [
    ["ok", 2, 3, 4, true],
    ["cancelled", 1, 0, 0, false],
  ];
  expect(tally.take(1)).toEqual({ type: "requests", ended, open: 1 });
  expect(tally.take(1)).toBeUndefined();
  expect(tally.take(0)).toEqual({ type: "requests", ended: [], open: 0 });
});
