import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ModelStats } from "../../../src/engine/engine.js";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { MetricLog, trafficLinesMs } from "../../../src/metrics/metric-log.js";
import type { Snapshot } from "../../../src/metrics/samples.js";
import type { MetricsMode } from "../../../src/metrics/torchserve.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open(mode: MetricsMode) {
  const http = new HttpState(createHttpState(1), 0);
  const said: string[][] = [];
  let looks = 0;
  const system = { cpuPercent: 1 };
  const window = { system, gpus: [], queueMs: 0.5, threadMs: 0.5, models: [] };
  const log = new MetricLog({
    mode,
    snapshot: () =>
      ({ hostname: "h", stats: [] as ModelStats[], entries: [], http, otherPorts: [], window }) as unknown as Snapshot,
    answers: () => http.allAnswers,
    look: () => {
      looks++;
    },
    write: (lines) => void said.push(lines.map(({ text }) => text.slice(0, text.indexOf(".")))),
  });
  return { http, log, said, looks: () => looks };
}

test("all at once, and what requests change soon after they came, once a second", () => {
  const { http, log, said, looks } = open("log");
  log.all();
  expect(said).toEqual([expect.arrayContaining(["QueueTime", "CPUUtilization"])]);
  log.tick();
  expect([said.length, looks()]).toEqual([1, 0]);
  http.countAnswer(200);
  log.tick();
  expect(said[1]).toEqual(["Requests2XX", "QueueTime", "WorkerThreadTime"]);
  http.countAnswer(404);
  log.tick();
  expect(said).toHaveLength(2);
  vi.advanceTimersByTime(trafficLinesMs);
  log.tick();
  expect(said[2]).toEqual(["Requests4XX", "QueueTime", "WorkerThreadTime"]);
  expect(looks()).toBe(2);
});

test("nothing is logged in mode prometheus", () => {
  const { http, log, said } = open("prometheus");
  http.countAnswer(200);
  log.all();
  log.tick();
  expect(said).toEqual([]);
});
