import { expect, test } from "vitest";
import { breakingChanges, schemaOf, type ModelSchema } from "../../../src/models/schema.js";
import type { DType, InputSpec, ModelSpec } from "../../../src/types.js";

const input = (name: string, shape: readonly number[], dtype: DType = "float32", optional = false): InputSpec => ({
  ...{ name, dtype, shape, optional },
});
const schema = (
  inputs: readonly InputSpec[] | undefined,
  outputs?: ModelSchema["outputs"],
  handler = "base_handler",
): ModelSchema => ({ handler, inputs, outputs });
const output = (shape: readonly number[], dtype: DType = "float32", name = "y") => [{ name, dtype, shape }];
const x = [input("x", [4])];

test.each<[string, ModelSchema, ModelSchema, readonly string[]]>([
  ["the same", schema(x), schema(x), []],
  ["nothing declared before", schema(undefined), schema(x), []],
  ["nothing declared after", schema(x), schema(undefined), []],
  ["another dtype", schema(x), schema([input("x", [4], "int64")]), ["input x: float32 → int64"]],
  ["another size", schema(x), schema([input("x", [5])]), ["input x: shape [4] → [5]"]],
  ["another rank", schema(x), schema([input("x", [4, 1])]), ["input x: shape [4] → [4, 1]"]],
  ["any size instead of one", schema(x), schema([input("x", [-1])]), []],
  ["one size instead of any", schema([input("x", [-1])]), schema(x), ["input x: shape [-1] → [4]"]],
  ["another name", schema(x), schema([input("z", [4])]), ["input x: is gone", "input z: new, and must be given"]],
  ["an optional one more", schema(x), schema([...x, input("m", [], "bool", true)]), []],
  [
    "an optional one that must be given now",
    schema([...x, input("m", [], "bool", true)]),
    schema([...x, input("m", [], "bool")]),
    ["input m: optional → must be given"],
  ],
  [
    "another handler",
    schema(x),
    schema(x, undefined, "image_classifier"),
    ["handler: base_handler → image_classifier"],
  ],
  ["code of its own", schema(x, output([3])), { ...schema(x, output([2])), handler: undefined }, []],
  ["another output size", schema(x, output([3])), schema(x, output([2])), ["output y: shape [3] → [2]"]],
  [
    "an output size that may follow the input",
    schema([input("x", [-1])], output([3])),
    schema([input("x", [-1])], output([2])),
    [],
  ],
  [
    "its rank does not",
    schema([input("x", [-1])], output([3])),
    schema([input("x", [-1])], output([3, 1])),
    ["output y: shape [3] → [3, 1]"],
  ],
  [
    "sizes of undeclared inputs are not known either",
    schema(undefined, output([3])),
    schema(undefined, output([2])),
    [],
  ],
  [
    "another output dtype and name",
    schema(x, output([3])),
    schema(x, output([3], "int64", "z")),
    ["output y: is called z", "output y: float32 → int64"],
  ],
  [
    "fewer outputs",
    schema(x, [...output([3]), ...output([1], "bool", "m")]),
    schema(x, output([3])),
    ["outputs: 2 → 1"],
  ],
  [
    "outputs behind a handler",
    schema(x, output([3]), "image_classifier"),
    schema(x, output([9]), "image_classifier"),
    [],
  ],
])("%s", (_, before, after, changes) => {
  expect(breakingChanges(before, after)).toEqual(changes);
});

test("of a version: what is declared and what the warm-up showed", () => {
  expect(schemaOf({})).toBeUndefined();
  const spec = { handler: { name: "base_handler", topK: 5 }, signature: { declared: true, inputs: x, outputs: [] } };
  expect(schemaOf({ spec: spec as unknown as ModelSpec })).toEqual(schema(x, undefined));
  const own = { ...spec, handler: { name: "handler.py", topK: 5, python: true } };
  expect(schemaOf({ spec: own as unknown as ModelSpec })).toEqual({ ...schema(x, undefined), handler: undefined });
  const silent = { ...spec, signature: { declared: false, inputs: [], outputs: [] } };
  expect(schemaOf({ spec: silent as unknown as ModelSpec })?.inputs).toBeUndefined();
});

test("a version of which nothing is known has no differences", () => {
  const known: ModelSchema = { handler: "base_handler", inputs: [], outputs: undefined };
  expect(breakingChanges(undefined, known)).toEqual([]);
  expect(breakingChanges(known, undefined)).toEqual([]);
});
