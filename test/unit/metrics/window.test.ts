import { afterEach, expect, test, vi } from "vitest";
import type { ModelStats } from "../../../src/engine/engine.js";
import { Windows } from "../../../src/metrics/window.js";

afterEach(() => vi.useRealTimers());

function stats(
  name: string,
  version: string,
  requests: number,
  seconds: readonly [number, number, number],
): ModelStats {
  const [request, queue, batch] = seconds;
  const histogram = (count: number, sum: number): ModelStats["requestSeconds"] => ({
    bounds: [],
    counts: [count],
    sum,
  });
  return {
    name,
    version,
    requestSeconds: histogram(requests, request),
    queueSeconds: histogram(requests, queue),
    inferenceSeconds: histogram(requests / 2, batch),
  } as unknown as ModelStats;
}

test("times are the mean of the last interval that had requests, over a name's versions", () => {
  vi.useFakeTimers();
  let now: ModelStats[] = [];
  const seen: number[] = [];
  const windows = new Windows({
    stats: () => now,
    intervalMs: 1000,
    system: false,
    onWindow: ({ queueMs }) => seen.push(queueMs ?? -1),
  });
  expect(windows.current).toEqual({ system: undefined, gpus: [], queueMs: undefined, threadMs: undefined, models: [] });
  now = [stats("m", "1", 4, [4, 1, 1]), stats("m", "2", 4, [4, 1, 1])];
  vi.advanceTimersByTime(1000);
  expect(windows.current).toMatchObject({ queueMs: 250, threadMs: 250 });
  expect(windows.current.models).toEqual([{ name: "m", predictionMs: 500, handlerMs: 750 }]);
  now = [stats("m", "1", 6, [4.5, 1, 1.1]), stats("m", "2", 4, [4, 1, 1])];
  vi.advanceTimersByTime(1000);
  expect(windows.current.queueMs).toBe(0);
  expect(windows.current.models[0]?.predictionMs).toBeCloseTo(100);
  vi.advanceTimersByTime(1000);
  expect(windows.current.models[0]?.predictionMs).toBeCloseTo(100);
  // Loaded anew: the counters start again.
  now = [stats("m", "1", 2, [2, 2, 0])];
  vi.advanceTimersByTime(1000);
  expect(seen).toEqual([250, 0, 0, 1000]);
  windows.close();
  now = [];
  vi.advanceTimersByTime(5000);
  expect(seen).toHaveLength(4);
});

test("before the first interval has passed, what a model did so far", () => {
  vi.useFakeTimers();
  let now: ModelStats[] = [stats("m", "1", 0, [0, 0, 0])];
  const windows = new Windows({ stats: () => now, intervalMs: 1000, system: false });
  expect(windows.latest(now).models).toEqual([]);
  now = [stats("m", "1", 4, [4, 1, 1])];
  expect(windows.latest(now)).toMatchObject({ queueMs: 250, models: [{ name: "m", handlerMs: 750 }] });
  // From then on it is the interval's.
  now = [stats("m", "1", 8, [4, 1, 1])];
  expect(windows.latest(now).queueMs).toBe(250);
  vi.advanceTimersByTime(1000);
  expect(windows.latest(now)).toMatchObject({ queueMs: 0, models: [{ name: "m" }] });
  // Removed within the interval.
  expect(windows.latest([]).models).toEqual([]);
  windows.close();
});
