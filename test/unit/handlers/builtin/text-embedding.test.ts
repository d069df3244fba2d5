import { expect, test } from "vitest";
import { numberText, textEmbedding } from "../../../../src/handlers/builtin/text-embedding.js";
import type { Rows } from "../../../../src/handlers/handler.js";
import { answerOf, floats, textReader, textRequest, textSpec } from "../text/spec.js";

const handler = textEmbedding({ name: "text_embedding", topK: 0, text: textSpec() }, textReader());

test("the mean of the text's tokens, without padding", async () => {
  const request = textRequest("time");
  const { rows } = (await handler.pre!(request)) as Rows;
  // [CLS] time [SEP], in a bucket of 16
  const mask = new BigInt64Array(rows[0]![1]!.data.buffer);
  expect(mask.reduce((sum, each) => sum + each, 0n)).toBe(3n);
  const vectors = [...[3, 0], ...[3, 0], ...[3, 12], ...Array<number>(26).fill(1000)];
  expect(answerOf(handler, [floats(vectors, [16, 2])], request)).toBe("[0.6, 0.8]");
});

test("a list for a list", async () => {
  const request = textRequest('{"instances": ["time", "way"]}');
  await handler.pre!(request);
  const ones = floats(Array<number>(16).fill(-2), [16, 1]);
  expect(JSON.parse(answerOf(handler, [ones, ones], request))).toEqual({ predictions: [[-1], [-1]] });
});

test("numbers as JSON has them", () => {
  expect([0.1, -0, 1e-30, 1 / 3, NaN, -Infinity].map(numberText)).toEqual([
    "0.1",
    "0",
    "1e-30",
    "0.333333333",
    '"NaN"',
    '"-Infinity"',
  ]);
});
