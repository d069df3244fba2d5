/**
 * Logs TorchServe's metrics in its modes `log` and `legacy`: all of them at the start, every interval and at the end, those of
 * requests soon after these came, and those of batches for each batch, as TorchServe's users look for them. Main thread.
 */
import type { TakenBatches } from "../engine/engine.js";
import { BatchLines } from "./batch-lines.js";
import type { Snapshot } from "./samples.js";
import { type MetricLine, MetricLines, type MetricsMode } from "./torchserve.js";

export interface MetricLogOptions {
  readonly mode: MetricsMode;
  readonly hostname: string;
  readonly snapshot: () => Snapshot;
  /** A number that any answer changes; asked often. */
  readonly answers: () => number;
  /** The batches that have run since the last call. */
  readonly batches: () => TakenBatches;
  readonly write: (lines: readonly MetricLine[]) => void;
  /** So many batches of one second have no lines. */
  readonly leftOut: (batches: number) => void;
}

/** Under traffic lines of requests come this far apart. */
export const trafficLinesMs = 1000;

export class MetricLog {
  private readonly options: MetricLogOptions;
  private readonly lines: MetricLines;
  private readonly ofBatches: BatchLines;
  private answered = 0;
  private soonAt = 0;

  constructor(options: MetricLogOptions) {
    this.options = options;
    this.lines = new MetricLines(options.mode);
    this.ofBatches = new BatchLines(options);
  }

  all(): void {
    if (this.options.mode === "prometheus") return;
    this.writeBatches();
    this.write("all");
  }

  /** To be called again and again: logs the batches that have run, and what requests changed, when they have. */
  tick(): void {
    const { mode, answers } = this.options;
    if (mode === "prometheus") return;
    this.writeBatches();
    if (performance.now() < this.soonAt) return;
    const now = answers();
    if (now === this.answered) return;
    this.answered = now;
    this.soonAt = performance.now() + trafficLinesMs;
    this.write("traffic");
  }

  /** The last lines. */
  end(): void {
    this.all();
    this.ofBatches.tell();
  }

  private writeBatches(): void {
    const { batches, write } = this.options;
    const lines = this.ofBatches.of(batches(), performance.now());
    if (lines.length > 0) write(lines);
  }

  private write(which: "all" | "traffic"): void {
    const lines = this.lines.lines(this.options.snapshot(), Math.floor(Date.now() / 1000), which);
    if (lines.length > 0) this.options.write(lines);
  }
}
