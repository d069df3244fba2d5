import { expect, test } from "vitest";
import { loadWarnings } from "../../../src/models/checks.js";
import type { HandlerSpec } from "../../../src/types.js";
import { textSpec } from "../handlers/text/spec.js";

const outputs = (...shape: readonly number[]) => ({ outputs: [{ name: "y", dtype: "float32", shape }] as const });
const handler = (labels: readonly string[], name = "image_classifier"): { handler: HandlerSpec; source: string } => ({
  handler: { name, topK: 5, labels: Object.fromEntries(labels.entries()) },
  source: "m.mar",
});

test("as many labels as classes: nothing to say", () => {
  expect(loadWarnings(handler(["a", "b"]), outputs(2))).toEqual([]);
  expect(loadWarnings({ handler: { name: "image_classifier", topK: 5 }, source: "m" }, outputs(2))).toEqual([]);
  expect(loadWarnings(handler(["a"], "object_detector"), outputs(9))).toEqual([]);
  expect(loadWarnings(handler(["a"]), { outputs: [] })).toEqual([]);
});

test("too few are named with the classes, too many too", () => {
  expect(loadWarnings(handler(["a", "b"]), outputs(9))).toEqual([
    "m.mar: index_to_name.json has 2 labels, and the model gives 9 classes; 7 have none and are answered by their number: 2, 3, 4, 5, 6, …",
  ]);
  expect(loadWarnings(handler(["a", "b", "c"], "token_classifier"), outputs(7, 2))).toEqual([
    "m.mar: index_to_name.json has 3 labels, and the model gives 2 classes; those of 2 are never used",
  ]);
});

test("padding that is not as the tokenizer's file has it, where the model has nothing to tell it by", () => {
  const [ids, mask] = textSpec().inputs;
  const warnings = (inputs: readonly (typeof ids)[], padsTo: string | undefined) => {
    const text = textSpec({ inputs: inputs.filter((each) => each !== undefined), padsTo });
    return loadWarnings({ handler: { name: "text_embedding", topK: 0, text }, source: "m.mar" }, outputs(2));
  };
  expect(warnings([ids], "40 tokens")).toEqual([
    "m.mar: the tokenizer's padding (to 40 tokens) is not followed: texts are padded to 16, 32, 64 tokens, and the model has no mask to tell padding by; sconce.text.buckets sets other lengths",
  ]);
  expect([warnings([ids, mask], "40 tokens"), warnings([ids], undefined)]).toEqual([[], []]);
});
