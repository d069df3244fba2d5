import { expect, test } from "vitest";
import { healthWords, isServing } from "../../../src/models/health.js";

test("draining wins; some failed still serve; nothing ready does not", () => {
  expect(healthWords("partial", false)).toBe("Partial Healthy");
  expect(healthWords("healthy", true)).toBe("Draining");
  expect([isServing("partial", false), isServing("empty", false)]).toEqual([true, true]);
  expect([isServing("unready", false), isServing("healthy", true)]).toEqual([false, false]);
});
