import { expect, test } from "vitest";
import { together } from "../../../src/handlers/answers.js";

test("answers stand as their inputs came", () => {
  expect(together(["1"], "one")).toBe("1");
  expect(JSON.parse(together(["1", '{"a": 2}'], "list"))).toEqual([1, { a: 2 }]);
  expect(JSON.parse(together(["1", "2"], "instances"))).toEqual({ predictions: [1, 2] });
  expect(JSON.parse(together(["1"], "instances", "explanations"))).toEqual({ explanations: [1] });
});
