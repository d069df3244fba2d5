import { expect, test } from "vitest";
import type { Histogram, ModelStats } from "../../../src/engine/engine.js";
import { repositoryIndex, statisticsOf, tritonConfig, tritonStatistics } from "../../../src/inference/triton.js";

const histogram = (sum: number, ...counts: number[]): Histogram => ({ bounds: [], counts, sum });
const stats = (changes: Partial<ModelStats>): ModelStats => ({
  ...{ name: "m", version: "1.0", isDefault: true, queueDepth: 0, inFlight: 0, instances: 2, lanes: 2 },
  ...{ executor: "lane", executorReason: "", requestsByCode: [7, 1, 2], requestBytes: 0, responseBytes: 0 },
  ...{ batches: 4, inlineBatches: 0, rows: 9, batchRows: histogram(9, 4) },
  ...{ requestSeconds: histogram(0.5, 10), queueSeconds: histogram(0.25, 6, 4), inferenceSeconds: histogram(0.125, 4) },
  named: { requests: 0, requestSeconds: 0, queueSeconds: 0 },
  ...changes,
});

test("a model's configuration, with what of it says how requests are batched", () => {
  const about = {
    kind: "torchscript",
    inputs: [{ name: "x", dtype: "bfloat16", shape: [3, -1], optional: false }],
    outputs: [{ name: "y", dtype: "int64", shape: [] }],
    ...{ maxBatchSize: 8, maxBatchDelayMs: 5 },
  } as const;
  const known = { version: "1.0", versions: ["1.0"] };
  expect(tritonConfig("m", { ...known, about }, 2)).toEqual({
    ...{ name: "m", platform: "pytorch_torchscript", backend: "pytorch", max_batch_size: 8 },
    input: [{ name: "x", data_type: "TYPE_BF16", dims: [3, -1] }],
    output: [{ name: "y", data_type: "TYPE_INT64", dims: [] }],
    instance_group: [{ name: "m_0", kind: "KIND_CPU", count: 2 }],
    dynamic_batching: { max_queue_delay_microseconds: 5000 },
  });
  const alone = tritonConfig("m", { ...known, about: { ...about, maxBatchSize: 1 } }, 1);
  expect(alone).not.toHaveProperty("dynamic_batching");
});

test("figures in nanoseconds", () => {
  expect(tritonStatistics(stats({}))).toEqual({
    ...{ name: "m", version: "1.0", inference_count: 9, execution_count: 4 },
    inference_stats: {
      success: { count: 7, ns: 5e8 },
      fail: { count: 3, ns: 0 },
      queue: { count: 10, ns: 2.5e8 },
      compute_infer: { count: 4, ns: 1.25e8 },
    },
  });
});

test("of the version that is asked for, else of the default one", () => {
  const all = [stats({ version: "1.0", isDefault: false, rows: 1 }), stats({ version: "2.0", rows: 2 })];
  expect(statisticsOf(all, "m", "")).toMatchObject({ version: "2.0", inference_count: 2 });
  expect(statisticsOf(all, "m", "1.0")).toMatchObject({ version: "1.0", inference_count: 1 });
  expect(() => statisticsOf(all, "python", "")).toThrow("figures are on the metrics port");
});

test("the index has what is served, then what is not, with its reason", () => {
  const served = [{ name: "a", version: "1" }];
  const unready = [
    { name: "a", version: "1", state: "unloading" },
    { name: "b", version: "1", state: "failed", reason: "torn" },
    { name: "c", version: "2", state: "loading" },
  ] as const;
  expect(repositoryIndex(served, unready)).toEqual([
    { name: "a", version: "1", state: "READY", reason: "" },
    { name: "b", version: "1", state: "UNAVAILABLE", reason: "torn" },
    { name: "c", version: "2", state: "LOADING", reason: "" },
  ]);
  const names = ["b", "a", "c"].map((name) => ({ name, version: "1" }));
  expect(repositoryIndex(names, []).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect(repositoryIndex(served, unready, true)).toEqual([{ name: "a", version: "1", state: "READY", reason: "" }]);
});
