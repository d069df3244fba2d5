import { expect, test } from "vitest";
import type { BatchTimes } from "../../../src/engine/engine.js";
import { BatchLines, maxBatchLinesPerSecond } from "../../../src/metrics/batch-lines.js";

function open() {
  const leftOut: number[] = [];
  const lines = new BatchLines({ hostname: "h", leftOut: (batches) => void leftOut.push(batches) });
  const said = (batches: readonly BatchTimes[], nowMs = 0, lost = 0): readonly string[] =>
    lines.of({ batches, leftOut: lost }, nowMs).map(({ file, text }) => `${file} ${text}`);
  return { lines, said, leftOut };
}

const batch: BatchTimes = { name: "m", at: 1700000000, runMs: 2.0004, outsideMs: 0.0125, waitsMs: [0, 1.23456] };

test("a batch has a line for each request that waited, and one each of its own", () => {
  expect(open().said([batch])).toEqual([
    "metrics QueueTime.Milliseconds:0.0|#Level:Host|#hostname:h,timestamp:1700000000",
    "metrics QueueTime.Milliseconds:1.235|#Level:Host|#hostname:h,timestamp:1700000000",
    "modelMetrics HandlerTime.Milliseconds:2.0|#ModelName:m,Level:Model|#hostname:h,timestamp:1700000000",
    "modelMetrics PredictionTime.Milliseconds:2.0|#ModelName:m,Level:Model|#hostname:h,timestamp:1700000000",
    "metrics WorkerThreadTime.Milliseconds:0.013|#Level:Host|#hostname:h,timestamp:1700000000",
  ]);
});

test("a worker that says its times itself is not said again; a batch without an answer has no prediction", () => {
  const names = (batches: readonly BatchTimes[]): string[] =>
    open()
      .said(batches)
      .map((line) => line.slice(0, line.indexOf(".")));
  expect(names([{ ...batch, runMs: undefined }])).toEqual([
    "metrics QueueTime",
    "metrics QueueTime",
    "metrics WorkerThreadTime",
  ]);
  expect(names([{ ...batch, waitsMs: [] }])).toEqual(["metrics WorkerThreadTime"]);
});

test("a second has so many lines; batches beyond have none, are counted, and are said in the next one", () => {
  const { lines, said, leftOut } = open();
  const big = { ...batch, waitsMs: Array.from({ length: maxBatchLinesPerSecond - 5 }, () => 0) };
  expect(said([big], 1000)).toHaveLength(maxBatchLinesPerSecond - 2);
  expect(said([batch, { ...batch, waitsMs: [] }, batch], 1500, 3)).toHaveLength(1);
  expect(leftOut).toEqual([]);
  expect(said([batch], 2000)).toHaveLength(5);
  expect(leftOut).toEqual([5]);
  lines.tell();
  expect(leftOut).toEqual([5]);
});
