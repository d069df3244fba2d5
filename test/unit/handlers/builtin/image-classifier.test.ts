import { describe, expect, test } from "vitest";
import { softmax, topClasses } from "../../../../src/handlers/builtin/classes.js";
import { pictureBytes } from "../../../../src/handlers/builtin/image-classifier.js";

describe("what is sent", () => {
  const picture = Buffer.from([0xff, 0xd8, 0xff, 1, 2, 3]);
  const base64 = picture.toString("base64");
  test("picture bytes, or base64 in JSON, as a string or by name", () => {
    expect(pictureBytes(picture, 100)).toBe(picture);
    for (const value of [
      base64,
      `data:image/jpeg;base64,${base64}`,
      { data: base64 },
      { body: base64 },
      { b64: base64 },
    ]) {
      expect(Buffer.from(pictureBytes(Buffer.from(` ${JSON.stringify(value)}`), 100))).toEqual(picture);
    }
  });
  test("anything else is said to be wrong", () => {
    const of = (text: string) => () => pictureBytes(Buffer.from(text), 5);
    expect(of("{broken")).toThrow("does not parse");
    expect(of('{"other": 1}')).toThrow("base64");
    expect(of('""')).toThrow("no bytes");
    expect(of('"<svg>"')).toThrow("other characters");
    expect(pictureBytes(Buffer.from(JSON.stringify(" QUJD\r\n REVG ")), 9).toString()).toBe("ABCDEF");
    expect(of(JSON.stringify(base64))).toThrow("--max-request-size");
  });
});

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
