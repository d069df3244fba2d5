import { expect, test } from "vitest";
import { factsOf } from "../../../src/tokenizer/facts.js";

const vocabulary = { a: 5, "<pad>": 3, b: 9 };

test("padding and truncation as the file has them", () => {
  const json = {
    padding: { pad_id: 7, pad_type_id: 1 },
    truncation: { max_length: 128, direction: "Left" },
  };
  expect(factsOf(json, vocabulary, 2)).toEqual({
    highestId: 9,
    padId: 7,
    padTypeId: 1,
    added: 2,
    maxLength: 128,
    cutAt: "left",
  });
});

test("without them the padding token is found by its name", () => {
  const plain = { highestId: 9, padTypeId: 0, added: 0, maxLength: undefined, cutAt: "right" };
  expect(factsOf({ padding: null, truncation: null }, vocabulary, 0)).toEqual({ ...plain, padId: 3 });
  expect(factsOf({}, { a: 9 }, 0)).toEqual({ ...plain, padId: 0 });
  expect(factsOf({ padding: { pad_id: -1 }, truncation: { max_length: "9" } }, { a: 9 }, 0)).toEqual({
    ...plain,
    padId: 0,
  });
});
