import { expect, test } from "vitest";
import { describeModel, isCustomized, listModels, type ServingStats } from "../../../../src/api/torchserve/describe.js";
import type { ModelEntry } from "../../../../src/models/models.js";
import type { LoadReport, ModelSpec } from "../../../../src/types.js";

function entry(name: string, version: string, isDefault: boolean, changes: Partial<ModelEntry> = {}): ModelEntry {
  return {
    name,
    version,
    isDefault,
    state: "ready",
    loadSeconds: 1,
    loadedAtStartup: true,
    since: "2026-01-01T00:00:00Z",
    ...changes,
  };
}
const entries = [entry("b", "1", false), entry("b", "2", true), entry("a", "1", true)];
const names = (result: unknown): string[] =>
  (result as { models: { modelName: string }[] }).models.map((each) => each.modelName);

test("lists each name once, sorted, in pages with TorchServe's token", () => {
  expect(names(listModels(entries, ""))).toEqual(["a", "b"]);
  expect(listModels(entries, "limit=1")).toMatchObject({ nextPageToken: "1" });
  expect(names(listModels(entries, "limit=1&next_page_token=1"))).toEqual(["b"]);
  expect(listModels(entries, "limit=0")).toEqual({ nextPageToken: "0", models: [] });
  for (const query of ["limit=-1", "limit=101", "limit=x", "next_page_token=-5"]) {
    expect(names(listModels(entries, query))).toEqual(["a", "b"]);
  }
});

test("describes the default, a version, or all", () => {
  const versions = entries.slice(0, 2);
  const described = (version: string) =>
    (describeModel(versions, version, { stats: [], logLevel: "info" }) as { modelVersion: string }[] | undefined)?.map(
      (each) => each.modelVersion,
    );
  expect(described("")).toEqual(["2"]);
  expect(described("1")).toEqual(["1"]);
  expect(described("all")).toEqual(["1", "2"]);
  expect(described("9")).toBeUndefined();
});

test("says why a model failed, and how full its queue is", () => {
  const failed = entry("m", "1", true, { state: "failed", reason: "not a model" });
  expect(describeModel([failed], "", { stats: [], logLevel: "info" })?.[0]).toMatchObject({
    sconce: { state: "failed", reason: "not a model" },
  });
  const stats = {
    name: "m",
    version: "1",
    queueDepth: 3,
    instances: 2,
    lanes: 3,
    executor: "lane",
    executorReason: "too slow",
  };
  expect(describeModel([entry("m", "1", true)], "", { stats: [stats], logLevel: "warn" })?.[0]).toMatchObject({
    jobQueueStatus: { pendingRequests: 3 },
    sconce: { executor: "lane", executorReason: "too slow" },
  });
});

test("has TorchServe's fields in TorchServe's order, and its own last", () => {
  const [described] = describeModel([entry("m", "1", true)], "", { stats: [], logLevel: "info" }) as Record<
    string,
    unknown
  >[];
  expect(Object.keys(described ?? {})).toEqual(
    [
      "modelName modelVersion modelUrl runtime minWorkers maxWorkers batchSize maxBatchDelay responseTimeout",
      "startupTimeout maxRetryTimeoutInSec clientTimeoutInMills parallelType parallelLevel deviceType",
      "continuousBatching useJobTicket useVenv stateful sequenceMaxIdleMSec sequenceTimeoutMSec maxNumSequence",
      "maxSequenceJobQueueSize loadedAtStartup workers jobQueueStatus sconce",
    ]
      .join(" ")
      .split(" "),
  );
  const spec = { handler: {}, signature: {}, startupTimeoutMs: 90_000, clientTimeoutMs: 500 } as ModelSpec;
  expect(describeModel([entry("m", "1", true, { spec })], "", { stats: [], logLevel: "info" })?.[0]).toMatchObject({
    startupTimeout: 90,
    clientTimeoutInMills: 500,
  });
  expect(described).toMatchObject({ runtime: "python", parallelLevel: 0, parallelType: "", deviceType: "cpu" });
  const [worker] = described?.["workers"] as Record<string, unknown>[];
  expect(Object.keys(worker ?? {})).toEqual("id startTime status memoryUsage pid gpu gpuUsage".split(" "));
});

test("a Python worker has its own process's memory; one that is not there has none", () => {
  const workers = [process.pid, undefined].map((pid) => ({ pid, ready: true, since: "" }));
  const stats = [
    { name: "m", version: "1", instances: 2, lanes: 2, queueDepth: 0, workers },
  ] as unknown as ServingStats[];
  const [described] = describeModel([entry("m", "1", true)], "", { stats, logLevel: "info" }) ?? [];
  const shown = (described as { workers: { memoryUsage: number }[] }).workers.map((each) => each.memoryUsage);
  expect(shown).toEqual([expect.any(Number), 0]);
  expect(shown[0]).toBeGreaterThan(10_000_000);
});

test("customized adds what the handler says, but not to all", () => {
  const one = [entry("m", "1", true)];
  const [described] = describeModel(one, "", { stats: [], logLevel: "info", metadata: { a: 1 } }) ?? [];
  expect(Object.entries(described as object).at(-1)).toEqual(["customizedMetadata", { a: 1 }]);
  expect(describeModel(one, "", { stats: [], logLevel: "info" })?.[0]).not.toHaveProperty("customizedMetadata");
  expect([isCustomized("", "customized=True"), isCustomized("1", "a=b&customized=true")]).toEqual([true, true]);
  expect([isCustomized("", "customized=yes"), isCustomized("all", "customized=true")]).toEqual([false, false]);
});

test("where a version comes from, and what loading found odd", () => {
  const handler = { name: "image_classifier", topK: 5, labels: { "0": "cat" } };
  const spec = { handler, source: "m.mar", signature: { declared: false, inputs: [], outputs: [] } };
  const given = { spec: { ...spec, lineage: { run: "17" }, warnings: ["old"] } as unknown as ModelSpec };
  const report = { outputs: [{ name: "y", dtype: "float32", shape: [2] }] } as unknown as LoadReport;
  const shown = { stats: [], logLevel: "info" };
  expect(describeModel([entry("m", "1", true, { ...given, report })], "", shown)?.[0]).toMatchObject({
    sconce: { lineage: { run: "17" }, warnings: ["old", expect.stringContaining("1 labels") as string] },
  });
  expect(describeModel([entry("m", "1", true)], "", shown)?.[0]).toMatchObject({ sconce: { warnings: [] } });
});
