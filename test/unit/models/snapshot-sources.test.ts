import { describe, expect, test } from "vitest";
import { snapshotSources, without } from "../../../src/models/snapshot-sources.js";

const version = { marName: "m.mar", defaultVersion: true, batchSize: 1, maxBatchDelay: 100, responseTimeout: 60 };
const sources = (changes: object, more: object = {}) =>
  snapshotSources({ models: { m: { "1.0": { ...version, ...changes } } }, ...more }, "/store");

describe("snapshotSources", () => {
  test("TorchServe's batch size of 1 asks for nothing, and its delay neither", () => {
    expect(sources({})).toEqual([
      {
        path: "/store/m.mar",
        url: "m.mar",
        name: "m",
        required: true,
        said: { responseTimeoutMs: 60_000 },
        isDefault: true,
      },
    ]);
    expect(sources({ batchSize: 8 })[0]?.said).toEqual({
      batchSize: 8,
      maxBatchDelayMs: 100,
      responseTimeoutMs: 60_000,
    });
    expect(sources({}, { writtenBy: "sconce" })[0]?.said?.batchSize).toBe(1);
  });

  test("workers come with their bounds; fewer at most than at least is the least", () => {
    expect(sources({ minWorkers: 2, maxWorkers: 4 })[0]?.workers).toEqual({ min: 2, max: 4 });
    expect(sources({ minWorkers: 2, maxWorkers: 1 })[0]?.workers).toEqual({ min: 2, max: 2 });
    expect(sources({ minWorkers: 0 })[0]).toMatchObject({ workers: { min: 0, max: 0 }, said: { workers: 1 } });
  });

  test.each(["https://host/m.mar", "/elsewhere/m.mar"])("%s stays as it is", (marName) => {
    expect(sources({ marName })[0]?.path).toBe(marName);
  });

  test.each(["../m.mar", "a/../../m.mar", ".."])("%s lies outside the store", (marName) => {
    expect(() => sources({ marName })).toThrow(/lies outside it/);
  });
});

test("without: the same file by another path is the same", () => {
  const named = [
    { path: "a/../m.mar", required: true },
    { path: "n.mar", required: true },
  ];
  expect(without(named, [{ path: `${process.cwd()}/m.mar`, required: true }])).toEqual([named[1]]);
});
