/** Batches on their way to the log, of engines that run some beside the native one. Main thread. */
import type { BatchTimes, TakenBatches } from "./engine.js";

/** Batches that wait to be taken; as many as native/core/batch_log.h keeps requests. */
export const maxKeptBatches = 65_536;

export class BatchList {
  private readonly wanted: boolean;
  private kept: BatchTimes[] = [];
  private leftOut = 0;

  /** `wanted` false: nobody takes any. */
  constructor(wanted: boolean) {
    this.wanted = wanted;
  }

  add(batch: Omit<BatchTimes, "at">): void {
    if (!this.wanted) return;
    if (this.kept.length >= maxKeptBatches) this.leftOut++;
    else this.kept.push({ ...batch, at: Math.floor(Date.now() / 1000) });
  }

  /** Those of another engine, and these. */
  take(others: TakenBatches | undefined): TakenBatches {
    const { kept, leftOut } = this;
    this.kept = [];
    this.leftOut = 0;
    if (others === undefined) return { batches: kept, leftOut };
    return kept.length === 0 && leftOut === 0
      ? others
      : { batches: [...others.batches, ...kept], leftOut: others.leftOut + leftOut };
  }
}
