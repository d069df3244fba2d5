/**
 * TorchServe's lines of each batch: the wait of every request that it answered, its worker's own time, and the model's. Pure,
 * but for what a second has had so far.
 */
import type { BatchTimes, TakenBatches } from "../engine/engine.js";
import type { Labels } from "./samples.js";
import { type BatchName, lineMaker, type MetricLine } from "./torchserve.js";
import { torchserveRows } from "./torchserve-table.js";

/**
 * Lines of batches in one second; batches beyond are counted. Enough for 25,000 batches of one request, at about 130 bytes
 * a line 13 MB.
 */
export const maxBatchLinesPerSecond = 100_000;

export interface BatchLinesOptions {
  readonly hostname: string;
  /** So many batches of the second that has passed have no lines. */
  readonly leftOut: (batches: number) => void;
}

type Write = (ms: number, seconds: number) => MetricLine;

export class BatchLines {
  private readonly options: BatchLinesOptions;
  private readonly queueTime: Write;
  private readonly threadTime: Write;
  /** Of this second's models. */
  private readonly ofModels = new Map<string, readonly Write[]>();
  private second = -1;
  private written = 0;
  private lost = 0;

  constructor(options: BatchLinesOptions) {
    this.options = options;
    const host = { Level: "Host", Hostname: options.hostname };
    this.queueTime = writer("metrics", "QueueTime", host);
    this.threadTime = writer("metrics", "WorkerThreadTime", host);
  }

  /** `nowMs` grows. A batch has all of its lines or none. */
  of({ batches, leftOut }: TakenBatches, nowMs: number): MetricLine[] {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.second) {
      this.tell();
      this.ofModels.clear();
      this.second = second;
      this.written = 0;
    }
    this.lost += leftOut;
    const lines: MetricLine[] = [];
    for (const batch of batches) {
      const count = linesOf(batch);
      if (this.written + count > maxBatchLinesPerSecond) this.lost++;
      else {
        this.written += count;
        this.write(batch, lines);
      }
    }
    return lines;
  }

  /** Says what was left out since that was last said. */
  tell(): void {
    if (this.lost > 0) this.options.leftOut(this.lost);
    this.lost = 0;
  }

  private write(batch: BatchTimes, lines: MetricLine[]): void {
    const { name, at, outsideMs, waitsMs } = batch;
    for (const wait of waitsMs) lines.push(this.queueTime(wait, at));
    if (saysRun(batch)) for (const write of this.ofModel(name)) lines.push(write(batch.runMs, at));
    lines.push(this.threadTime(outsideMs, at));
  }

  private ofModel(name: string): readonly Write[] {
    const known = this.ofModels.get(name);
    if (known !== undefined) return known;
    const labels = { ModelName: name, Level: "Model", Hostname: this.options.hostname };
    const made = modelNames.map((each) => writer("modelMetrics", each, labels));
    this.ofModels.set(name, made);
    return made;
  }
}

const modelNames = ["HandlerTime", "PredictionTime"] as const;

/** Not where nobody was answered, nor for a worker that says it itself. */
function saysRun(batch: BatchTimes): batch is BatchTimes & { readonly runMs: number } {
  return batch.runMs !== undefined && batch.waitsMs.length > 0;
}

function linesOf(batch: BatchTimes): number {
  return batch.waitsMs.length + (saysRun(batch) ? modelNames.length : 0) + 1;
}

/** Times to the microsecond. */
function writer(file: MetricLine["file"], name: BatchName, labels: Labels): Write {
  const row = torchserveRows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no metric ${name}`);
  const line = lineMaker(row, labels);
  return (ms, seconds) => ({ file, text: line(Math.round(ms * 1000) / 1000, seconds) });
}
