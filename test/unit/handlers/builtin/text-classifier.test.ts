import { describe, expect, test } from "vitest";
import { textClassifier } from "../../../../src/handlers/builtin/text-classifier.js";
import { answerOf, floats, textReader, textRequest, textSpec } from "../text/spec.js";

const labels = { "0": "bad", "1": "10" };
const made = (topK: number) =>
  textClassifier({ name: "text_classifier", topK, labels, text: textSpec() }, textReader());

test("a text in, ids and mask for the model", async () => {
  const request = textRequest("time");
  expect(await made(0).pre!(request)).toMatchObject({
    rows: [
      [
        { name: "input_ids", dtype: "int64", shape: [16] },
        { name: "attention_mask", dtype: "int64", shape: [16] },
      ],
    ],
  });
});

describe("scores out", () => {
  test("all classes in the model's order, or the most probable first", async () => {
    const request = textRequest("time");
    await made(0).pre!(request);
    const scores = [floats([0, Math.log(2), Math.log(5)], [3])];
    const text = answerOf(made(0), scores, request);
    expect(
      [...text.matchAll(/"(.*?)": ([\d.]+)/gu)].map(([, label, value]) => [label, Number(value).toFixed(4)]),
    ).toEqual([
      ["bad", "0.1250"],
      ["10", "0.2500"],
      ["2", "0.6250"],
    ]);
    expect(answerOf(made(1), scores, request)).toMatch(/^\{\n {2}"2": 0\.62\d+\n\}$/u);
  });

  test("several texts, each with its own", async () => {
    const request = textRequest('["time", "way"]');
    await made(1).pre!(request);
    const answer = answerOf(made(1), [floats([9, 0], [2]), floats([0, 9], [2])], request);
    expect((JSON.parse(answer) as object[]).map((each) => Object.keys(each))).toEqual([["bad"], ["10"]]);
  });

  test("an output of another shape is the model's fault", async () => {
    const request = textRequest("time");
    await made(0).pre!(request);
    expect(() => answerOf(made(0), [floats([1, 2], [1, 2])], request)).toThrow(
      expect.objectContaining({ code: "bad_output", message: expect.stringContaining("[1, 2]") as string }),
    );
  });
});

test("an explanation's numbers are those of the words, whichever side the padding is on", () => {
  const pieces = ["a", "b"].map((token) => ({ token, special: false, start: 0, end: 1 }));
  const state = { form: "one", texts: ["ab"], tokens: [{ ids: [5, 6], typeIds: [0, 0], pieces }] };
  const explained = (padAt: "left" | "right") => {
    const made = textClassifier({ name: "text_classifier", topK: 0, text: textSpec({ padAt }) }, textReader());
    const request = Object.assign(textRequest("ab"), { state });
    const text = made.explained?.([floats([1, 2, 3, 4], [4]), floats([0], [1])], request) ?? "";
    return (JSON.parse(text) as { importances: number[] }).importances;
  };
  expect([explained("right"), explained("left")]).toEqual([
    [1, 2],
    [3, 4],
  ]);
});
