import { describe, expect, test } from "vitest";
import {
  checkModelSettings,
  parseModelSettings,
  settingsOf,
  settingsWithoutEffect,
} from "../../../src/config/model-settings.js";

describe("model settings", () => {
  test("are read as TorchServe writes them; what is 0 or less is not set", () => {
    const text =
      '{"m":{"1.0":{"defaultVersion":true,"marName":"m.mar","minWorkers":1,"batchSize":4,"maxBatchDelay":0,"responseTimeout":-1}}}';
    const settings = parseModelSettings(text) ?? {};
    expect(settingsOf(settings, "m", "1.0")).toEqual({
      defaultVersion: true,
      marName: "m.mar",
      minWorkers: 1,
      batchSize: 4,
    });
    expect(settingsOf(settings, "m", "2.0")).toEqual({});
    expect(settingsOf(settings, "toString", "1.0")).toEqual({});
    expect(settingsOf(settings, "m", "constructor")).toEqual({});
  });

  test("what changes nothing is said", () => {
    const settings = parseModelSettings('{"m":{"1.0":{"batchSize":4,"parallelLevel":2,"runtimeType":"LSP"}}}') ?? {};
    const lines = settingsWithoutEffect(settings);
    expect(lines.map((line) => line.split(" has")[0])).toEqual([
      "models: m 1.0: parallelLevel",
      "models: m 1.0: runtimeType",
    ]);
    expect(settingsWithoutEffect({ m: { "1.0": { batchSize: 4 } } })).toEqual([]);
  });

  test("a model called __proto__ is a model", () => {
    const settings = parseModelSettings('{"__proto__":{"1.0":{"batchSize":4}}}') ?? {};
    expect(settingsOf(settings, "__proto__", "1.0")).toEqual({ batchSize: 4 });
    expect(({} as { batchSize?: number }).batchSize).toBeUndefined();
  });

  test.each<[unknown, string]>([
    [[], "is no object"],
    [null, "is no object"],
    [{ m: 1 }, '"m" holds no object of versions'],
    [{ m: { "1": [] } }, '"m" version "1": no object of settings'],
    [{ m: { "1": { batchSise: 1 } } }, "is none of defaultVersion, marName"],
    [{ m: { "1": { batchSize: "4" } } }, 'batchSize cannot be "4"'],
    [{ m: { "1": { batchSize: 1.5 } } }, "batchSize cannot be 1.5"],
    [{ m: { "1": { defaultVersion: "true" } } }, "defaultVersion cannot be"],
  ])("%j is refused in words", (value, words) => {
    expect(checkModelSettings(value)).toContain(words);
    expect(parseModelSettings(JSON.stringify(value))).toBeUndefined();
  });
});
