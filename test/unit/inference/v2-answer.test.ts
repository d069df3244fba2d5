import { expect, test } from "vitest";
import { readAnswer } from "../../../src/inference/v2-answer.js";

test("JSON is passed on as it is", () => {
  expect(readAnswer('{"a":1}')).toEqual({ jsonBytes: undefined, body: '{"a":1}' });
  const bytes = new TextEncoder().encode('{"é":1}');
  expect(readAnswer(bytes.buffer)).toEqual({ jsonBytes: undefined, body: bytes });
});

test("an answer with bytes loses its prefix", () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 2, 1, 0, 0, 0x7b, 0x7d, 9);
  expect(readAnswer(bytes.buffer)).toEqual({ jsonBytes: 258, body: Uint8Array.of(0x7b, 0x7d, 9) });
});
