import { expect, test } from "vitest";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import type { Snapshot } from "../../../src/metrics/samples.js";
import { type MetricLine, MetricLines, torchserveReaders } from "../../../src/metrics/torchserve.js";
import type { ModelEntry } from "../../../src/models/models.js";

function snapshot(requests: number): Snapshot {
  const http = new HttpState(createHttpState(1), 0);
  for (const status of [200, 201, 404, 499, 503]) http.countAnswer(status);
  const management = new HttpState(createHttpState(1), 0);
  management.countAnswer(202);
  const total = { name: "m", version: "1.0", requests: requests + 1, requestSeconds: 0.5, queueSeconds: 0.25 };
  const entry = { name: "m", version: "1.0", state: "ready", loadSeconds: 1.25 } as unknown as ModelEntry;
  return {
    hostname: "h",
    inference: [total],
    entries: [entry],
    http,
    otherPorts: [management],
    window: { system: undefined, gpus: [], queueMs: 0.5, threadMs: undefined, models: [] },
  } as unknown as Snapshot;
}

test("answers of all ports count by their hundreds; clients that left do not", () => {
  const value = (name: "Requests2XX" | "Requests4XX" | "Requests5XX"): unknown => torchserveReaders[name](snapshot(1));
  const labels = { Level: "Host", Hostname: "h" };
  expect(value("Requests2XX")).toEqual([{ labels, value: 2 }]);
  expect(value("Requests4XX")).toEqual([{ labels, value: 1 }]);
  expect(value("Requests5XX")).toEqual([{ labels, value: 1 }]);
});

test("counters of versions that are gone are forgotten: one that comes back begins anew", () => {
  const lines = new MetricLines("log");
  const of = (requests: number | undefined): string[] => {
    const inference = requests === undefined ? [] : [{ ...total, requests }];
    const said = lines.lines({ ...snapshot(5), inference }, 0, "traffic").map(({ text }) => text);
    return said.filter((text) => text.startsWith("ts_inference_requests_total"));
  };
  expect(of(3)[0]).toContain(":3.0|");
  expect(of(5)[0]).toContain(":2.0|");
  expect(of(undefined)).toEqual([]);
  expect(of(7)[0]).toContain(":7.0|");
});

const total = { name: "m", version: "1", requests: 0, requestSeconds: 0, queueSeconds: 0 };

test("log lines have TorchServe's form; counters are logged by their growth, silent ones not at all", () => {
  const lines = new MetricLines("log");
  const textOf = ({ text }: MetricLine): string => text;
  const first = lines.lines(snapshot(5), 1700000000).map(textOf);
  for (const line of [
    "ts_inference_requests_total.Count:6.0|#model_name:m,model_version:1.0|#hostname:h,timestamp:1700000000",
    "ts_inference_latency_microseconds.Microseconds:500000.0|#model_name:m,model_version:1.0|#hostname:h,timestamp:1700000000",
    "WorkerLoadTime.Milliseconds:1250.0|#WorkerName:W-9000-m_1.0,Level:Host|#hostname:h,timestamp:1700000000",
  ]) {
    expect(first).toContain(line);
  }
  const second = lines
    .lines(snapshot(7), 1700000015)
    .map(textOf)
    .filter((line) => line.startsWith("ts_"));
  expect(second).toEqual([
    "ts_inference_requests_total.Count:2.0|#model_name:m,model_version:1.0|#hostname:h,timestamp:1700000015",
  ]);
  expect(new MetricLines("prometheus").lines(snapshot(5), 0)).toEqual([]);
  const legacy = new MetricLines("legacy").lines(snapshot(5), 0).map(textOf);
  expect(legacy.filter((line) => line.startsWith("ts_"))).toEqual([]);
});

test("what each batch has a line of is not among the lines of a moment", () => {
  const models = [{ name: "m", predictionMs: 2, handlerMs: 3 }];
  const window = { ...snapshot(5).window, models };
  const said = new MetricLines("log").lines({ ...snapshot(5), window }, 0);
  expect(said.filter(({ file }) => file === "modelMetrics")).toEqual([]);
  expect(said.filter(({ text }) => text.startsWith("QueueTime"))).toEqual([]);
});
