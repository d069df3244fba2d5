/** When a pool runs a batch, and when it starts a worker again: pure functions of what they are given. */

/** TorchServe's seconds between two tries, by the number of tries that failed since the last success. */
const backOffSeconds = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597] as const;

/** `failures` in a row, at least 1. */
export function backOffMs(failures: number): number {
  const index = Math.min(Math.max(failures, 1), backOffSeconds.length) - 1;
  return (backOffSeconds[index] ?? 1) * 1000;
}

/** Whether a worker that keeps failing is still tried: for `windowMs` since its first failure, as in TorchServe. */
export function triesAgain(sinceFirstFailureMs: number, windowMs: number): boolean {
  return sinceFirstFailureMs < windowMs;
}

export interface BatchView {
  readonly waiting: number;
  readonly idleWorkers: number;
  /** How long the first of those that wait has waited. */
  readonly waitedMs: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
}

export type BatchStep =
  | { readonly kind: "run"; readonly size: number }
  /** Look again after that long, or when something arrives. */
  | { readonly kind: "wait"; readonly ms: number }
  /** Until something arrives or a worker is free. */
  | { readonly kind: "rest" };

/**
 * A free worker takes what waits, at once; with a `maxBatchDelayMs` it waits that long, from the first request's arrival,
 * for a full batch. An idle second worker gets its share before a batch is made deeper.
 */
export function nextBatch(view: BatchView): BatchStep {
  const { waiting, idleWorkers, waitedMs, batchSize, maxBatchDelayMs } = view;
  if (waiting === 0 || idleWorkers === 0) return { kind: "rest" };
  if (waiting < batchSize && waitedMs < maxBatchDelayMs) return { kind: "wait", ms: maxBatchDelayMs - waitedMs };
  if (maxBatchDelayMs > 0) return { kind: "run", size: Math.min(waiting, batchSize) };
  return { kind: "run", size: Math.min(batchSize, Math.ceil(waiting / idleWorkers)) };
}

/** What a request is told that comes while there is none. */
export const noWorkers =
  "The model has no worker to serve inference request. Please use scale workers API to add workers.";
