import { expect, test } from "vitest";
import {
  handlerKeys,
  imageKeys,
  inputKeys,
  namesOf,
  readerOf,
  sconceKeys,
  topKeys,
  valuesOf,
} from "../../../src/archive/model-keys.js";
import { parseModelConfig } from "../../../src/archive/model-config.js";
import { parseYaml } from "../../../src/archive/yaml-section.js";

test("values are read by their rows", () => {
  const of = readerOf(parseYaml("m.yaml", "channels: 1\nbgr: true\ninterpolation: nearest\nmean: [1]\n"), imageKeys);
  expect([of("channels"), of("bgr"), of("interpolation"), of("crop")]).toEqual([1, true, "nearest", undefined]);
  const bad = readerOf(parseYaml("m.yaml", "crop: -1\nbgr: 1\ninterpolation: linear\n"), imageKeys);
  expect(() => bad("crop")).toThrow("m.yaml:1: crop must be a whole number from 0 to 16384, got -1");
  expect(() => bad("bgr")).toThrow("true or false");
  expect(() => bad("interpolation")).toThrow("one of bilinear, bicubic, nearest");
});

test("every key says what it means and what may stand there", () => {
  for (const keys of [topKeys, sconceKeys, inputKeys, imageKeys, handlerKeys]) {
    for (const row of Object.values(keys)) expect([row.help, valuesOf(row)]).not.toContain("");
  }
  expect(valuesOf(topKeys.clientTimeoutInMills)).toBe("0 to 86400000 ms");
  expect(valuesOf(topKeys.deviceType)).toBe("`cpu`, `gpu`");
});

test.each(namesOf(topKeys, ({ actsOn }) => actsOn !== undefined))(
  "%s of a native model is said to have no effect",
  (key) => {
    const value = key === "useVenv" ? "false" : "0";
    const switches = ["sequenceBatching", "continuousBatching", "asyncCommunication"];
    const given = switches.includes(key) ? "false" : key === "torchrun" ? "{}" : value;
    expect(parseModelConfig("m.yaml", `${key}: ${given}\n`).warnings).toEqual([
      `m.yaml: ${key} has no effect in this version`,
    ]);
  },
);
