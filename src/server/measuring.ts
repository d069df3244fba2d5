/** What is measured over time, and where it is shown: the metrics port's page and TorchServe's log lines. Main thread. */
import type { ServeConfig } from "../config/serve-config.js";
import type { ModelStats } from "../engine/engine.js";
import { createExposition, type Exposition } from "../metrics/exposition.js";
import { GpuWatch } from "../metrics/gpus.js";
import { MetricLog } from "../metrics/metric-log.js";
import type { Snapshot } from "../metrics/samples.js";
import type { MetricLine } from "../metrics/torchserve.js";
import { type Window, Windows } from "../metrics/window.js";
import type { Log } from "../telemetry/log.js";

export interface MeasuringOptions {
  readonly config: Pick<ServeConfig, "metricsMode" | "metricsIntervalMs" | "systemMetrics">;
  readonly log: Log;
  readonly stats: () => readonly ModelStats[];
  readonly snapshot: () => Snapshot;
  /** How many requests were answered, on all ports. */
  readonly answers: () => number;
  /** Takes the lines, in the modes that log any. */
  readonly write: (lines: readonly MetricLine[]) => void;
}

export class Measuring {
  private readonly page: Exposition;
  private readonly windows: Windows;
  private readonly lines: MetricLog;

  constructor({ config, log, stats, snapshot, answers, write }: MeasuringOptions) {
    const mode = config.metricsMode;
    this.page = createExposition(snapshot, { processMetrics: true, mode });
    this.lines = new MetricLog({ mode, snapshot, answers, write, look: () => this.windows.lookAtModels() });
    this.windows = new Windows({
      stats,
      intervalMs: config.metricsIntervalMs,
      system: config.systemMetrics,
      gpus: new GpuWatch((fault) =>
        fault === undefined ? log.info("GPUs answer again") : log.warn("no figures of the GPUs", { fault }),
      ),
      onWindow: () => this.lines.all(),
    });
  }

  readonly scrape: Exposition["scrape"] = (names) => this.page.scrape(names);

  get window(): Window {
    return this.windows.latest;
  }

  begin(): void {
    this.lines.all();
  }

  /** To be called often. */
  tick(): void {
    this.lines.tick();
  }

  end(): void {
    this.windows.close();
    this.lines.all();
  }
}
