import { expect, test } from "vitest";
import type { ModelStats } from "../../../src/engine/engine.js";
import { createExposition } from "../../../src/metrics/exposition.js";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { readers, type Snapshot } from "../../../src/metrics/samples.js";
import { metricTable } from "../../../src/metrics/table.js";

const empty = { bounds: [], counts: [0], sum: 0 };
const stats: ModelStats = {
  name: "m",
  version: "1",
  isDefault: true,
  queueDepth: 2,
  inFlight: 3,
  executor: "inline",
  executorReason: "",
  requestsByCode: [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  requestBytes: 10,
  responseBytes: 20,
  batches: 4,
  inlineBatches: 1,
  rows: 5,
  waitedForLoad: 0,
  requestSeconds: { bounds: [0.1, 1], counts: [1, 2, 3], sum: 4.5 },
  queueSeconds: { bounds: [0.1], counts: [1, 0], sum: 0.25 },
  inferenceSeconds: empty,
  batchRows: empty,
};
const snapshot: Snapshot = {
  version: "0.1.0",
  node: "v20",
  hostname: "h",
  engine: { builtAgainst: "", libtorch: "2.13", cuda: false, cpuCapability: "", parallel: "" },
  stats: [stats],
  entries: [],
  loads: [{ trigger: "startup", outcome: "ok", count: 1 }],
  http: new HttpState(createHttpState(1), 0),
};

test("the table's names are Prometheus', each with a unit or a total, words and a reader", () => {
  const names = metricTable.map((row) => row.name);
  expect(new Set(names).size).toBe(names.length);
  for (const row of metricTable) {
    expect(row.name).toMatch(/^(sconce|ts)_[a-z_]+$/);
    if (row.type === "counter" && row.name.startsWith("sconce_")) expect(row.name).toMatch(/_total$/);
    expect(row.help).toMatch(/\.$/);
  }
  expect(Object.keys(readers).sort()).toEqual([...names].sort());
});

test("every sample has exactly its row's labels", () => {
  for (const row of metricTable) {
    for (const sample of readers[row.name](snapshot))
      expect(Object.keys(sample.labels), row.name).toEqual([...row.labels]);
  }
});

test("histograms are cumulative, counters are what the engine says", async () => {
  const { text } = await createExposition(() => snapshot, { processMetrics: false }).scrape();
  const lines = text.split("\n");
  for (const line of [
    'sconce_request_duration_seconds_bucket{le="0.1",model="m",version="1"} 1',
    'sconce_request_duration_seconds_bucket{le="1",model="m",version="1"} 3',
    'sconce_request_duration_seconds_bucket{le="+Inf",model="m",version="1"} 6',
    'sconce_request_duration_seconds_sum{model="m",version="1"} 4.5',
    'sconce_request_duration_seconds_count{model="m",version="1"} 6',
    'sconce_requests_total{model="m",version="1",protocol="http",code="ok"} 5',
    'sconce_requests_total{model="m",version="1",protocol="http",code="queue_full"} 1',
    'sconce_batches_total{model="m",version="1",executor="lane"} 3',
    'ts_inference_latency_microseconds{model_name="m",model_version="1",hostname="h"} 4500000',
    'ts_queue_latency_microseconds{model_name="m",model_version="1",hostname="h"} 250000',
  ]) {
    expect(lines).toContain(line);
  }
});
