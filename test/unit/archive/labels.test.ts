import { expect, test } from "vitest";
import { parseLabels } from "../../../src/archive/labels.js";

test.each([
  ['{"0": "cat", "1": "dog"}', { 0: "cat", 1: "dog" }],
  ['{"0": ["n02123045", "cat"]}', { 0: "cat" }],
  ['{"object_type_names": ["cat", "dog"]}', { 0: "cat", 1: "dog" }],
  ["{}", {}],
])("%s", (text, labels) => expect(parseLabels("f", text)).toEqual(labels));

test.each(["", "[]", "null", '{"0": 1}', '{"0": []}', '{"0": {"a": 1}}', '{"object_type_names": [1]}'])(
  "%j is refused, naming the file",
  (text) => {
    expect(() => parseLabels("index_to_name.json", text)).toThrow(/^index_to_name\.json: /);
  },
);
