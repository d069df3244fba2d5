import { describe, expect, test } from "vitest";
import { softmax, topClasses } from "../../../../src/handlers/builtin/classes.js";

describe("what is answered", () => {
  test("softmax sums to one and survives large scores", () => {
    const two = softmax(Float64Array.of(1000, 1000));
    expect(Array.from(two)).toEqual([0.5, 0.5]);
    const three = softmax(Float64Array.of(0, 1, 2));
    expect(three.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
  test("the most probable first, also where labels are numbers", () => {
    const text = topClasses(Float64Array.of(0.1, 0.2, 0.7), 2, undefined);
    expect(text).toBe('{\n  "2": 0.7,\n  "1": 0.2\n}');
    expect(topClasses(Float64Array.of(0.1, 0.9), 5, { "1": 'a "b"' })).toBe('{\n  "a \\"b\\"": 0.9,\n  "0": 0.1\n}');
    expect(JSON.parse(topClasses(Float64Array.of(NaN), 5, undefined))).toEqual({ "0": "NaN" });
  });
});
