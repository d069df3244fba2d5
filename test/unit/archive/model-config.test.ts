import { describe, expect, test } from "vitest";
import { parseModelConfig } from "../../../src/archive/model-config.js";

const parse = (text: string) => parseModelConfig("model-config.yaml", text);
const input = (line: string) => `sconce:\n  inputs:\n    - ${line}\n`;

describe("parseModelConfig", () => {
  test("nothing said, nothing set", () => {
    expect(parse("")).toEqual({ warnings: [], pythonWarnings: [] });
    expect(parse("# only a comment\n")).toEqual({ warnings: [], pythonWarnings: [] });
  });

  test("where to run", () => {
    const text = "deviceType: gpu\ndeviceIds: [1, 0]\nsconce:\n  priority: high\n";
    expect(parse(text)).toMatchObject({
      deviceType: "gpu",
      deviceIds: [1, 0],
      priority: "high",
      warnings: [],
      pythonWarnings: [],
    });
  });

  test("TorchServe's keys", () => {
    const text =
      "minWorkers: 2\nmaxWorkers: 4\nbatchSize: 8\nmaxBatchDelay: 5\nresponseTimeout: 1.5\nstartupTimeout: 90\njobQueueSize: 7\ndeviceType: cpu\nhandler:\n  private: 1\n";
    expect(parse(text)).toEqual({
      instances: 2,
      maxWorkers: 4,
      startupTimeoutMs: 90_000,
      batchSize: 8,
      maxBatchDelayMs: 5,
      responseTimeoutMs: 1500,
      jobQueueSize: 7,
      deviceType: "cpu",
      warnings: [],
      pythonWarnings: [],
    });
  });

  test("at most fewer than at least is refused", () => {
    expect(() => parse("minWorkers: 3\nmaxWorkers: 2\n")).toThrow(/maxWorkers.* is 2, less than minWorkers \(3\)/);
  });

  test("the sconce section", () => {
    const text = `
sconce:
  inputs:
    - { name: ids, dtype: int64, shape: [-1] }
    - { name: mask, dtype: bool, shape: [-1], optional: true }
  outputs: [{ name: logits }]
  warmup: sample.npy
  executor: lane
  precision: bfloat16
  precisionTolerance: 0.01
  stateful: true
  maxInstances: 4
  topK: 2
`;
    expect(parse(text)).toEqual({
      inputs: [
        { name: "ids", dtype: "int64", shape: [-1], optional: false },
        { name: "mask", dtype: "bool", shape: [-1], optional: true },
      ],
      outputs: ["logits"],
      warmup: "sample.npy",
      executor: "lane",
      precision: "bfloat16",
      precisionTolerance: 0.01,
      stateful: true,
      maxInstances: 4,
      topK: 2,
      warnings: [],
      pythonWarnings: [],
    });
  });

  test("an image's defaults are ImageNet's", () => {
    expect(parse("sconce: { image: {} }").image).toEqual({
      resize: 256,
      crop: 224,
      channels: 3,
      bgr: false,
      interpolation: "bilinear",
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      exif: false,
    });
    expect(parse("sconce: { image: { crop: 300 } }").image).toMatchObject({ resize: 300, crop: 300 });
  });

  test("a detector's pictures stay as they are unless the file says otherwise", () => {
    const detector = "handler: object_detector\nsconce:\n  image: ";
    expect(parse(`${detector}{ channels: 1 }`).image).toMatchObject({ resize: 0, crop: 0, mean: [], std: [] });
    expect(parse(`${detector}{ crop: 320 }`).image).toMatchObject({ resize: 320, crop: 320 });
  });

  test("aliases are followed", () => {
    const text = "x-shape: &s [4]\nsconce:\n  inputs:\n    - { name: a, dtype: float32, shape: *s }\n";
    expect(parse(text).inputs?.[0]?.shape).toEqual([4]);
  });

  test("keys without effect and typos at the top are warnings", () => {
    expect(parse("useVenv: true\nbatchsize: 4\n").warnings).toEqual([
      "model-config.yaml: useVenv has no effect in this version",
      "model-config.yaml: batchsize is not a key that sconce or TorchServe reads (did you mean batchSize?)",
    ]);
  });

  test("of a Python model what the server itself would have to do, or why that cannot be left out", () => {
    expect(parse("useJobTicket: true\nmine: 1\n")).toEqual({
      warnings: [
        "model-config.yaml: useJobTicket has no effect in this version",
        "model-config.yaml: mine is not a key that sconce or TorchServe reads",
      ],
      pythonWarnings: ["model-config.yaml: useJobTicket has no effect in this version"],
    });
    expect(parse("sequenceBatching: true\n").pythonRefusal).toMatch(/sequenceBatching/);
  });

  test.each<[string, RegExp]>([
    ["- a", /expected "key: value" lines/],
    ["a: [", /model-config\.yaml: /],
    ["batchSize: 1\nbatchSize: 2", /unique/],
    ["\nbatchSize: 0", /^model-config\.yaml:2: batchSize must be a whole number from 1 to 65536, got 0$/],
    ["asyncCommunication: 1", /asyncCommunication must be true or false/],
    ["batchSize: 2.5", /batchSize must be/],
    ["batchSize: '4'", /batchSize must be/],
    ["responseTimeout: -1", /responseTimeout must be/],
    ["deviceType: gpuu", /must be one of cpu, gpu/],
    ["deviceIds: []", /deviceIds must list 1 to 1024 GPUs/],
    ["deviceIds: [0, -1]", /deviceIds must be whole numbers from 0 on.*; got -1$/],
    ["deviceIds: [0.5]", /; got 0\.5$/],
    ["deviceIds: [2, 1, 2]", /deviceIds names GPU 2 twice$/],
    ["deviceType: cpu\ndeviceIds: [0]", /^model-config\.yaml:2: deviceIds names GPUs, and deviceType is cpu/],
    ["sconce:\n  priority: urgent", /priority must be one of normal, high/],
    ["sconce: 3", /sconce must have keys of its own/],
    ["sconce:\n  input: []", /^model-config\.yaml:2: sconce\.input is no known key \(did you mean inputs\?\)/],
    ["sconce:\n  inputs: []", /must list 1 to 256 inputs/],
    ["sconce:\n  inputs: { a: 1 }", /sconce\.inputs must be a list/],
    ["sconce:\n  inputs: [1]", /item 0 is not one/],
    [input("{ dtype: float32, shape: [1] }"), /^model-config\.yaml:3: sconce\.inputs\[0\]\.name is missing/],
    [input("{ name: x, shape: [1] }"), /dtype is missing; one of bool, uint8/],
    [input("{ name: x, dtype: flot32, shape: [1] }"), /did you mean float32\?/],
    [input("{ name: x, dtype: float32 }"), /shape is missing/],
    [input("{ name: x, dtype: float32, shape: [0] }"), /shape must be/],
    [input("{ name: x, dtype: float32, shape: [-2] }"), /shape must be/],
    [input("{ name: x, dtype: float32, shape: [1.5] }"), /shape must be/],
    [input("{ name: x, dtype: float32, shape: [1048576, 1048576, 2] }"), /shape must be/],
    [input(`{ name: x, dtype: float32, shape: [${"1,".repeat(17)}] }`), /shape must be/],
    [
      input("{ name: instances, dtype: float32, shape: [1] }"),
      /is "instances", which requests use for several samples/,
    ],
    [input('{ name: "a\\nb", dtype: float32, shape: [1] }'), /control characters/],
    [input("{ name: x, dtype: float32, shape: [1], shap: 1 }"), /shap is no known key \(did you mean shape\?\)/],
    [
      `${input("{ name: x, dtype: bool, shape: [1] }")}    - { name: x, dtype: bool, shape: [1] }`,
      /two inputs called "x"/,
    ],
    [
      `${input("{ name: x, dtype: bool, shape: [1], optional: true }")}    - { name: y, dtype: bool, shape: [1] }`,
      /optional inputs after all others/,
    ],
    ["sconce: { outputs: [{ name: a }, { name: a }] }", /names an output twice/],
    ["sconce: { executor: fast }", /must be one of auto, inline, lane/],
    ["sconce: { precision: fp8 }", /precision.*must be one of float32, bfloat16, float16, auto/],
    ["sconce: { precision: auto, precisionTolerance: 2 }", /precisionTolerance/],
    ["sconce: { precisionTolerance: 0.1 }", /precisionTolerance.* set precision, too/],
    ["sconce: { stateful: maybe }", /must be true or false/],
    ["sconce: { image: { channels: 2 } }", /must be 1 \(grey\) or 3/],
    ["sconce: { image: { resize: 10, crop: 20 } }", /less than crop/],
    ["sconce: { image: { resize: 10, crop: 0 } }", /keeps the picture's own size/],
    ["sconce: { image: { mean: [1, 2] } }", /one per channel/],
    ["sconce: { threshold: 1.5 }", /threshold/],
    ["sconce: { image: { mean: [1] } }", /must be 3 number\(s\)/],
    ["sconce: { image: { std: [0, 1, 1] } }", /must be 3 positive number\(s\)/],
  ])("%j is refused", (text, message) => expect(() => parse(text)).toThrow(message));

  test("an alias bomb is refused", () => {
    const rows = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++) {
      const before = String.fromCharCode(96 + i);
      const own = String.fromCharCode(97 + i);
      rows.push(`${own}: &${own} [${`*${before},`.repeat(9)}]`);
    }
    expect(() => parse(rows.join("\n"))).toThrow(/[Aa]lias/);
  });
});
