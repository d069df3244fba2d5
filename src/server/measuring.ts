/** What is measured over time, and where it is shown: the metrics port's page and TorchServe's log lines. Main thread. */
import type { ServeConfig } from "../config/serve-config.js";
import type { Engine, ModelStats } from "../engine/engine.js";
import { createExposition, type Exposition } from "../metrics/exposition.js";
import { maxBatchLinesPerSecond } from "../metrics/batch-lines.js";
import { GpuWatch } from "../metrics/gpus.js";
import { InferenceTotals } from "../metrics/inference-totals.js";
import { MetricLog } from "../metrics/metric-log.js";
import type { Snapshot } from "../metrics/samples.js";
import type { MetricLine } from "../metrics/torchserve.js";
import { Windows } from "../metrics/window.js";
import type { Log } from "../telemetry/log.js";
import { RefusalLog, type Refusals } from "./refusals.js";

export interface MeasuringOptions {
  readonly config: Pick<ServeConfig, "metricsMode" | "metricsIntervalMs" | "systemMetrics" | "compat">;
  readonly log: Log;
  readonly engine: Pick<Engine, "stats" | "takeBatches">;
  readonly hostname: string;
  readonly snapshot: () => Snapshot;
  /** How many requests were answered, on all ports. */
  readonly answers: () => number;
  /** Of connections. */
  readonly refusals: () => Refusals;
  /** Takes the lines, in the modes that log any. */
  readonly write: (lines: readonly MetricLine[]) => void;
}

export class Measuring {
  private readonly page: Exposition;
  private readonly windows: Windows;
  private readonly lines: MetricLog;
  private readonly totals: InferenceTotals;
  private readonly refusals: RefusalLog;

  constructor({ config, log, engine, hostname, snapshot, answers, refusals, write }: MeasuringOptions) {
    const mode = config.metricsMode;
    this.totals = new InferenceTotals(config.compat === "torchserve");
    this.refusals = new RefusalLog(refusals, log);
    this.page = createExposition(snapshot, { processMetrics: true, mode });
    this.lines = new MetricLog({
      ...{ mode, hostname, snapshot, answers, write },
      batches: () => engine.takeBatches?.() ?? noBatches,
      leftOut: (batches) => log.warn(leftOutWords, { batches }),
    });
    this.windows = new Windows({
      stats: () => engine.stats(),
      intervalMs: config.metricsIntervalMs,
      system: config.systemMetrics,
      gpus: new GpuWatch((fault) =>
        fault === undefined ? log.info("GPUs answer again") : log.warn("no figures of the GPUs", { fault }),
      ),
      onWindow: () => this.lines.all(),
    });
  }

  readonly scrape: Exposition["scrape"] = (names) => this.page.scrape(names);

  /** What a snapshot has of the counters of this moment. */
  of(stats: readonly ModelStats[]): Pick<Snapshot, "stats" | "inference" | "window"> {
    return { stats, inference: this.totals.look(stats), window: this.windows.latest(stats) };
  }

  begin(): void {
    this.lines.all();
  }

  /** To be called often. */
  tick(): void {
    this.refusals.tick();
    this.lines.tick();
  }

  end(): void {
    this.windows.close();
    this.lines.end();
  }
}

const noBatches = { batches: [], leftOut: 0 };
const leftOutWords = `batches without metric lines: there were more than ${maxBatchLinesPerSecond} lines in a second`;
