/**
 * Logs TorchServe's metrics in its modes `log` and `legacy`: all of them at the start, every interval and at the end, and
 * those of requests soon after these came, as TorchServe's users look for them. Main thread.
 */
import type { Snapshot } from "./samples.js";
import { type MetricLine, MetricLines, type MetricsMode } from "./torchserve.js";

export interface MetricLogOptions {
  readonly mode: MetricsMode;
  readonly snapshot: () => Snapshot;
  /** A number that any answer changes; asked often. */
  readonly answers: () => number;
  /** Ends the interval that means are taken over. */
  readonly look: () => void;
  readonly write: (lines: readonly MetricLine[]) => void;
}

/** Under traffic lines of requests come this far apart. */
export const trafficLinesMs = 1000;

export class MetricLog {
  private readonly options: MetricLogOptions;
  private readonly lines: MetricLines;
  private answered = 0;
  private soonAt = 0;

  constructor(options: MetricLogOptions) {
    this.options = options;
    this.lines = new MetricLines(options.mode);
  }

  all(): void {
    this.write("all");
  }

  /** To be called again and again: logs what requests changed, when they have. */
  tick(): void {
    const { mode, answers, look } = this.options;
    if (mode === "prometheus" || performance.now() < this.soonAt) return;
    const now = answers();
    if (now === this.answered) return;
    this.answered = now;
    this.soonAt = performance.now() + trafficLinesMs;
    look();
    this.write("traffic");
  }

  private write(which: "all" | "traffic"): void {
    if (this.options.mode === "prometheus") return;
    const lines = this.lines.lines(this.options.snapshot(), Math.floor(Date.now() / 1000), which);
    if (lines.length > 0) this.options.write(lines);
  }
}
