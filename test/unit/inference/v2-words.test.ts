import { expect, test } from "vitest";
import { datatypes, modelMetadata } from "../../../src/inference/v2-words.js";
import { dtypes } from "../../../src/types.js";

test("every dtype has a word of its own", () => {
  expect(new Set(dtypes.map((dtype) => datatypes[dtype])).size).toBe(dtypes.length);
});

test("shapes are told with the batch in front", () => {
  const about = {
    kind: "aotinductor",
    inputs: [{ name: "x", dtype: "float16", shape: [3, -1], optional: false }],
    outputs: [
      { name: "y", dtype: "int64", shape: [] },
      { name: "word", dtype: "string", shape: [] },
    ],
    maxBatchSize: 4,
    maxBatchDelayMs: 0,
  } as const;
  expect(modelMetadata("m", { version: "1", versions: ["1", "2"], about })).toEqual({
    name: "m",
    versions: ["1", "2"],
    platform: "pytorch_aotinductor",
    inputs: [{ name: "x", datatype: "FP16", shape: [-1, 3, -1] }],
    outputs: [
      { name: "y", datatype: "INT64", shape: [-1] },
      { name: "word", datatype: "BYTES", shape: [-1] },
    ],
  });
});
