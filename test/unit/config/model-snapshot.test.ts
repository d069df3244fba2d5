import { describe, expect, test } from "vitest";
import { checkModelSnapshot, parseModelSnapshot } from "../../../src/config/model-snapshot.js";

describe("parseModelSnapshot", () => {
  test("TorchServe's own: counts that say nothing go, 0 workers stay", () => {
    const version = {
      defaultVersion: true,
      marName: "mnist.mar",
      minWorkers: 0,
      maxWorkers: 5,
      batchSize: 1,
      maxBatchDelay: -1,
      responseTimeout: 120,
      startupTimeout: 120,
      runtimeType: "python",
    };
    const text = JSON.stringify({
      name: "startup.cfg",
      modelCount: 1,
      created: 1,
      models: { mnist: { "1.0": version } },
    });
    const { maxBatchDelay: _, ...kept } = version;
    expect(parseModelSnapshot(text)).toEqual({ models: { mnist: { "1.0": kept } } });
  });

  test("what was written here says so", () => {
    expect(parseModelSnapshot('{"models":{},"writtenBy":"sconce"}')).toEqual({ models: {}, writtenBy: "sconce" });
    expect(parseModelSnapshot('{"models":{},"writtenBy":"somebody"}')).toEqual({ models: {} });
  });

  test.each([
    [{}, /has no models/],
    [{ models: [] }, /is no object/],
    [{ models: { m: { 1: {} } } }, /"m" version "1" names no archive/],
    [{ models: { m: { 1: { marName: "" } } } }, /marName cannot be ""/],
    [{ models: { m: { 1: { marName: "m.mar", workers: 1 } } } }, /"workers" is none of/],
  ])("%j is refused", (value, words) => {
    expect(checkModelSnapshot(value)).toMatch(words);
    expect(parseModelSnapshot(JSON.stringify(value))).toBeUndefined();
  });

  test("text that is no JSON is refused", () => expect(parseModelSnapshot("{")).toBeUndefined());
});
