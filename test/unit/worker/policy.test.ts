import { expect, test } from "vitest";
import { backOffMs, nextBatch, triesAgain } from "../../../src/worker/policy.js";

test("the back-off is TorchServe's, and stays at its last step", () => {
  expect([1, 2, 3, 4, 5, 6].map(backOffMs)).toEqual([1000, 1000, 2000, 3000, 5000, 8000]);
  expect([17, 18, 1000].map(backOffMs)).toEqual([1_597_000, 1_597_000, 1_597_000]);
  expect(backOffMs(0)).toBe(1000);
});

test("a worker is tried again within its window only", () => {
  expect([triesAgain(0, 300_000), triesAgain(299_999, 300_000), triesAgain(300_000, 300_000)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(triesAgain(0, 0)).toBe(false);
});

test.each([
  ["nothing waits", { waiting: 0 }, { kind: "rest" }],
  ["no worker is idle", { waiting: 3, idleWorkers: 0 }, { kind: "rest" }],
  ["one runs at once", { waiting: 1 }, { kind: "run", size: 1 }],
  ["what waits runs together, up to the batch size", { waiting: 9 }, { kind: "run", size: 4 }],
  ["two idle workers share", { waiting: 4, idleWorkers: 2 }, { kind: "run", size: 2 }],
  ["a delay is waited for", { waiting: 1, maxBatchDelayMs: 50, waitedMs: 20 }, { kind: "wait", ms: 30 }],
  ["a delay is over", { waiting: 1, maxBatchDelayMs: 50, waitedMs: 50 }, { kind: "run", size: 1 }],
  ["a full batch does not wait", { waiting: 4, maxBatchDelayMs: 50 }, { kind: "run", size: 4 }],
  [
    "with a delay batches are filled before they are shared",
    { waiting: 4, idleWorkers: 2, maxBatchDelayMs: 50 },
    { kind: "run", size: 4 },
  ],
])("%s", (_name, view, step) => {
  const base = { waiting: 1, idleWorkers: 1, waitedMs: 0, batchSize: 4, maxBatchDelayMs: 0 };
  expect(nextBatch({ ...base, ...view })).toEqual(step);
});
