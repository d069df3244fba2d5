import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { BatchTimes } from "../../../src/engine/engine.js";
import { maxBatchLinesPerSecond } from "../../../src/metrics/batch-lines.js";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { MetricLog, trafficLinesMs } from "../../../src/metrics/metric-log.js";
import type { Snapshot } from "../../../src/metrics/samples.js";
import type { MetricsMode } from "../../../src/metrics/torchserve.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open(mode: MetricsMode) {
  const http = new HttpState(createHttpState(1), 0);
  const said: string[][] = [];
  const batches: BatchTimes[] = [];
  const leftOut: number[] = [];
  const system = { cpuPercent: 1 };
  const window = { system, gpus: [], queueMs: 0.5, threadMs: 0.5, models: [] };
  const log = new MetricLog({
    mode,
    hostname: "h",
    snapshot: () =>
      ({ hostname: "h", stats: [], inference: [], entries: [], http, otherPorts: [], window }) as unknown as Snapshot,
    answers: () => http.allAnswers,
    batches: () => ({ batches: batches.splice(0), leftOut: 0 }),
    leftOut: (count) => void leftOut.push(count),
    write: (lines) => void said.push(lines.map(({ text }) => text.slice(0, text.indexOf(".")))),
  });
  return { http, log, said, batches, leftOut };
}

test("all at once, and what requests change soon after they came, once a second", () => {
  const { http, log, said } = open("log");
  log.all();
  expect(said).toEqual([["CPUUtilization"]]);
  log.tick();
  expect(said).toHaveLength(1);
  http.countAnswer(200);
  log.tick();
  expect(said[1]).toEqual(["Requests2XX"]);
  http.countAnswer(404);
  log.tick();
  expect(said).toHaveLength(2);
  vi.advanceTimersByTime(trafficLinesMs);
  log.tick();
  expect(said[2]).toEqual(["Requests4XX"]);
});

const batch: BatchTimes = { name: "m", at: 5, runMs: 2, outsideMs: 0.25, waitsMs: [1, 3] };

test("each look writes the batches that have run since the last one, whether or not anything else has changed", () => {
  const { log, said, batches } = open("legacy");
  batches.push(batch);
  log.tick();
  const lines = ["QueueTime", "QueueTime", "HandlerTime", "PredictionTime", "WorkerThreadTime"];
  expect(said).toEqual([lines]);
  log.tick();
  expect(said).toHaveLength(1);
  batches.push(batch);
  log.end();
  expect(said[1]).toEqual(lines);
});

test("what a second has no room for is said at the end, too", () => {
  const { log, batches, leftOut } = open("log");
  const waitsMs = Array.from({ length: maxBatchLinesPerSecond }, () => 0);
  batches.push({ ...batch, waitsMs }, batch);
  log.tick();
  expect(leftOut).toEqual([]);
  log.end();
  expect(leftOut).toEqual([1]);
});

test("nothing is logged in mode prometheus", () => {
  const { http, log, said, batches } = open("prometheus");
  batches.push(batch);
  http.countAnswer(200);
  log.all();
  log.tick();
  expect(said).toEqual([]);
});
