import { expect, test } from "vitest";
import { tokenClassifier } from "../../../../src/handlers/builtin/token-classifier.js";
import { answerOf, floats, textReader, textRequest, textSpec } from "../text/spec.js";

const labels = { "0": "O", "1": "PLACE" };
const handler = tokenClassifier({ name: "token_classifier", topK: 0, labels, text: textSpec() }, textReader());
/** Scores of two classes for 16 tokens, of which `places` are one. */
const scores = (places: readonly number[]) =>
  floats(Array.from({ length: 16 }, (_, at) => (places.includes(at) ? [0, Math.log(4)] : [1, 0])).flat(), [16, 2]);

test("tokens with a class, and none that the tokenizer added", async () => {
  const request = textRequest("😀 time person");
  await handler.pre!(request);
  // [CLS] 😀 time person [SEP]
  expect(JSON.parse(answerOf(handler, [scores([0, 2, 4])], request))).toEqual([
    { entity: "PLACE", score: expect.closeTo(0.8, 6) as number, index: 2, word: "time", start: 2, end: 6 },
  ]);
  expect(answerOf(handler, [scores([])], request)).toBe("[]");
});

test("scores of a text that stands behind its padding", async () => {
  const left = tokenClassifier(
    { name: "token_classifier", topK: 0, labels, text: textSpec({ padAt: "left" }) },
    textReader(),
  );
  const request = textRequest("😀 time person");
  await left.pre!(request);
  expect(JSON.parse(answerOf(left, [scores([13])], request))).toMatchObject([{ index: 2, word: "time" }]);
});

test("a word that is not in the vocabulary is what the text has there, in code points", async () => {
  const request = textRequest("😀 time \u{13000} person");
  await handler.pre!(request);
  // [CLS] 😀 time [UNK] person [SEP]
  expect(JSON.parse(answerOf(handler, [scores([3, 4])], request))).toMatchObject([
    { index: 3, word: "\u{13000}", start: 7, end: 8 },
    { index: 4, word: "person", start: 9, end: 15 },
  ]);
});

test("a model that answers for fewer tokens, or not for tokens", async () => {
  const request = textRequest("time person");
  await handler.pre!(request);
  for (const wrong of [floats([1, 2], [2]), floats([1, 2, 3, 4], [2, 2])]) {
    expect(() => answerOf(handler, [wrong], request)).toThrow("token_classifier expected scores per class for each");
  }
});
