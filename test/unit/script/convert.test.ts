import { describe, expect, test } from "vitest";
import { Answer, HandlerError, tensor } from "../../../src/handlers/define.js";
import { packRows, packTensors } from "../../../src/handlers/tensor-frame.js";
import { answerOf, frameOf, isHandlerError, outputsOf } from "../../../src/script/convert.js";

const one = tensor(new Float32Array([1, 2, 3]).subarray(1), [2]);
const plain = { dtype: "float32", shape: [2], data: new Uint8Array(new Float32Array([2, 3]).buffer) } as const;

describe("frameOf", () => {
  test("takes a tensor, a list, samples, or tensors by name", () => {
    expect(frameOf(one)).toEqual(packTensors([plain]));
    expect(frameOf([one, one])).toEqual(packTensors([plain, plain]));
    expect(frameOf({ rows: [[one], [one]] })).toEqual(packRows([[plain], [plain]]));
    expect(frameOf({ x: one })).toEqual(packTensors([{ ...plain, name: "x" }]));
  });

  test("refuses all else, and says what was expected", () => {
    for (const made of [
      undefined,
      null,
      7,
      "x",
      {},
      { x: 1 },
      [1],
      { rows: [] },
      { rows: [1] },
      { dtype: "float32", data: [1] },
    ]) {
      expect(() => frameOf(made)).toThrow(/expected a tensor, a list of tensors/);
    }
    expect(() => frameOf({ ...one, shape: [3] })).toThrow(/8 bytes where it takes 12/);
  });
});

describe("outputsOf", () => {
  test("gives views of the engine's memory, and copies what does not stand where its numbers can", () => {
    const body = new ArrayBuffer(16);
    new Float32Array(body).set([1, 2, 3]);
    const [first] = outputsOf(body, [{ dtype: "float32", shape: [3], offset: 0, bytes: 12 }], ["y"]);
    expect(first).toMatchObject({ name: "y", shape: [3], data: new Float32Array([1, 2, 3]) });
    expect(first?.data.buffer).toBe(body);
    const [odd] = outputsOf(body, [{ dtype: "int16", shape: [1], offset: 1, bytes: 2 }], []);
    expect(odd?.data).toBeInstanceOf(Int16Array);
    expect(odd?.name).toBe("output_0");
  });
});

describe("answerOf", () => {
  test("JSON of a value, bytes as they are, an Answer with what it says", () => {
    expect(answerOf(1, { a: new Float32Array([0.5]), b: 7n, c: NaN })).toEqual({
      ask: 1,
      body: '{"a":[0.5],"b":7,"c":"NaN"}',
    });
    expect(answerOf(2, new Uint8Array([1]))).toEqual({ ask: 2, body: new Uint8Array([1]) });
    expect(answerOf(3, new Answer("hi", { status: 202, headers: { a: "b" } }))).toEqual({
      ask: 3,
      body: "hi",
      status: 202,
      contentType: "text/plain; charset=utf-8",
      headers: [["a", "b"]],
    });
    expect(answerOf(4, new Answer([1], { contentType: "x/y" }))).toMatchObject({ body: "[1]", contentType: "x/y" });
  });

  test("what JSON cannot say is no answer", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => answerOf(1, circle)).toThrow(/cannot be written as JSON/);
    expect(() => answerOf(1, undefined)).toThrow(/undefined, which is no answer/);
  });
});

test("a refusal is told by its mark, as each bundled handler has a class of its own", () => {
  expect(isHandlerError(new HandlerError(400, "x"))).toBe(true);
  expect(isHandlerError(Object.assign(new Error("x"), { status: 400 }))).toBe(false);
});
