import { expect, test } from "vitest";
import { factsOf } from "../../../src/tokenizer/facts.js";

const vocabulary = { a: 5, "<pad>": 3, b: 9 };

test("padding and truncation as the file has them", () => {
  const json = {
    padding: { pad_id: 7, pad_type_id: 1, direction: "Left", strategy: { Fixed: 40 }, pad_to_multiple_of: 8 },
    truncation: { max_length: 128, direction: "Left" },
  };
  expect(factsOf(json, vocabulary, 2)).toEqual({
    highestId: 9,
    padId: 7,
    namedPadId: undefined,
    usualPadId: 3,
    padTypeId: 1,
    padAt: "left",
    padsTo: "40 tokens, multiples of 8",
    unknownId: undefined,
    added: 2,
    maxLength: 128,
    cutAt: "left",
  });
});

test("without them there is the padding token by its name, and the one that is asked for", () => {
  expect(factsOf({ padding: null, truncation: null }, vocabulary, 0)).toMatchObject({
    padId: undefined,
    usualPadId: 3,
  });
  expect(factsOf({}, { a: 9 }, 0)).toEqual({
    highestId: 9,
    padId: undefined,
    namedPadId: undefined,
    usualPadId: undefined,
    padTypeId: 0,
    padAt: "right",
    padsTo: undefined,
    unknownId: undefined,
    added: 0,
    maxLength: undefined,
    cutAt: "right",
  });
  expect(factsOf({}, vocabulary, 0, "a")).toMatchObject({ namedPadId: 5, usualPadId: 3 });
  expect(factsOf({}, vocabulary, 0, "toString").namedPadId).toBeUndefined();
  expect(factsOf({ padding: { pad_id: -1 }, truncation: { max_length: "9" } }, { a: 9 }, 0)).toMatchObject({
    padId: undefined,
    maxLength: undefined,
  });
});

test("the token for what is not in the vocabulary, by its name and, of Unigram, by its id", () => {
  expect(factsOf({ model: { unk_token: "b" } }, vocabulary, 0).unknownId).toBe(9);
  expect(factsOf({ model: { unk_token: null } }, vocabulary, 0).unknownId).toBeUndefined();
  expect(factsOf({ model: { unk_id: 3 } }, vocabulary, 0).unknownId).toBe(3);
});

test("what neither pads nor cuts", () => {
  const json = { padding: { strategy: "BatchLongest", pad_to_multiple_of: 0 }, truncation: { max_length: 0 } };
  expect(factsOf(json, vocabulary, 2)).toMatchObject({ padsTo: undefined, maxLength: undefined });
});
