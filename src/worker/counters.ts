/** What a pool counts, in the engine's form. Main thread. */
import type { Histogram, ModelStats } from "../engine/engine.js";
import { type ErrorCode, errorIndex } from "../errors.js";

/** A histogram. */
export class Counts {
  private readonly bounds: readonly number[];
  private readonly counts: number[];
  private sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const index = this.bounds.findIndex((bound) => value <= bound);
    const place = index < 0 ? this.bounds.length : index;
    this.counts[place] = (this.counts[place] ?? 0) + 1;
    this.sum += value;
  }

  get shown(): Histogram {
    return { bounds: this.bounds, counts: [...this.counts], sum: this.sum };
  }
}

/** Rows of a batch, as native/core counts them. */
const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;

type Counted = Pick<
  ModelStats,
  | "requestsByCode"
  | "requestBytes"
  | "responseBytes"
  | "batches"
  | "inlineBatches"
  | "rows"
  | "requestSeconds"
  | "queueSeconds"
  | "inferenceSeconds"
  | "batchRows"
  | "named"
>;

export interface EndedRequest {
  readonly tookMs: number;
  /** Before its batch began. */
  readonly waitedMs: number;
  /** Its client named the version. */
  readonly named: boolean;
}

export class PoolCounters {
  private readonly byCode: number[] = [];
  private readonly request: Counts;
  private readonly queue: Counts;
  private readonly inference: Counts;
  private readonly batchRows = new Counts(rowBounds);
  private requestBytes = 0;
  private responseBytes = 0;
  private batches = 0;
  private rows = 0;
  private readonly named = { requests: 0, requestSeconds: 0, queueSeconds: 0 };

  /** Bounds of the times, in seconds. */
  constructor(bounds: readonly number[]) {
    this.request = new Counts(bounds);
    this.queue = new Counts(bounds);
    this.inference = new Counts(bounds);
  }

  came(bytes: number): void {
    this.requestBytes += bytes;
  }

  /** A batch begins; how long each of its jobs has waited. */
  ran(waitedMs: readonly number[]): void {
    this.batches++;
    this.rows += waitedMs.length;
    this.batchRows.add(waitedMs.length);
    for (const each of waitedMs) this.queue.add(each / 1000);
  }

  batchTook(ms: number): void {
    this.inference.add(ms / 1000);
  }

  ended(code: ErrorCode, { tookMs, waitedMs, named }: EndedRequest, bytes: number): void {
    const index = errorIndex(code);
    for (let fill = this.byCode.length; fill <= index; fill++) this.byCode.push(0);
    this.byCode[index] = (this.byCode[index] ?? 0) + 1;
    this.request.add(tookMs / 1000);
    this.responseBytes += bytes;
    if (!named) return;
    this.named.requests++;
    this.named.requestSeconds += tookMs / 1000;
    this.named.queueSeconds += waitedMs / 1000;
  }

  get shown(): Counted {
    return {
      requestsByCode: [...this.byCode],
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      batches: this.batches,
      inlineBatches: 0,
      rows: this.rows,
      requestSeconds: this.request.shown,
      queueSeconds: this.queue.shown,
      inferenceSeconds: this.inference.shown,
      batchRows: this.batchRows.shown,
      named: { ...this.named },
    };
  }
}
