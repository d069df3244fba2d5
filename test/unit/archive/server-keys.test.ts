import { describe, expect, test } from "vitest";
import { nativeWarnings, pythonRefusal, pythonWarnings } from "../../../src/archive/server-keys.js";
import { parseYaml } from "../../../src/archive/yaml-section.js";

const file = "model-config.yaml";
const top = (text: string) => parseYaml(file, text);

describe("pythonRefusal", () => {
  test.each<[string, RegExp]>([
    ["sequenceBatching: true\nmaxNumSequence: 4", /asks for sequenceBatching, .* set minWorkers and maxWorkers to 1$/],
    ["continuousBatching: true", /asks for continuousBatching, /],
    ["asyncCommunication: true", /asks for asyncCommunication, /],
    ["torchrun: { nproc-per-node: 4 }", /asks for 4 processes of torchrun/],
    ["parallelType: pp\nparallelLevel: 2", /asks for 2 processes of torchrun/],
  ])("%s", (text, words) => {
    expect(pythonRefusal(top(text))).toMatch(words);
  });

  test.each([
    "",
    "sequenceBatching: false\ncontinuousBatching: false\nasyncCommunication: false",
    "sequenceMaxIdleMSec: 1000",
    "torchrun: { nproc-per-node: 1 }\nparallelLevel: 1",
    "parallelType: custom\nparallelLevel: 2",
  ])("none: %s", (text) => {
    expect(pythonRefusal(top(text))).toBeUndefined();
  });

  test("a value of the wrong kind is an error at its line", () => {
    expect(() => pythonRefusal(top("\nsequenceBatching: 1"))).toThrow(
      `${file}:2: sequenceBatching must be true or false`,
    );
  });
});

test("what a handler may read is no business of the server's", () => {
  const idle = "continuousBatching: false\nclientTimeoutInMills: 0\nuseVenv: true\nmine: 1\n";
  expect(pythonWarnings(file, top(`useJobTicket: true\n${idle}`))).toEqual([
    "model-config.yaml: useJobTicket has no effect in this version",
  ]);
});

test("without Python every key that nobody reads is named", () => {
  expect(nativeWarnings(file, top("minWorkers: 1\nuseVenv: true\nbatchsize: 4\n"))).toEqual([
    "model-config.yaml: useVenv has no effect in this version",
    "model-config.yaml: batchsize is not a key that sconce or TorchServe reads (did you mean batchSize?)",
  ]);
});
