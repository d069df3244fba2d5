/**
 * What the handlers of one model version report through `context.metrics`, summed up as TorchServe's frontend does: a
 * counter grows by each line, a gauge takes the last, a histogram observes. Bounded: a handler that makes a dimension of
 * its requests' ids fills no memory. Main thread.
 */
import type { HandlerFamily, HandlerSeries } from "../engine/engine.js";
import { Counts } from "./counters.js";
import type { WorkerSample } from "./metric-line.js";

/** Names of one model version. */
export const maxFamilies = 200;
/** Combinations of dimensions of one model version, over all names. */
export const maxSeries = 2000;
/** The buckets of Prometheus' client for Java, which TorchServe takes. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
  readonly histogram: Counts | undefined;
}

interface Family extends Pick<WorkerSample, "name" | "unit" | "type"> {
  readonly series: Map<string, Series>;
}

export class HandlerMetrics {
  private readonly byName = new Map<string, Family>();
  private series = 0;

  /** False: the line was no metric, does not fit what the name stood for before, or there are too many. */
  take(sample: WorkerSample | undefined): boolean {
    if (sample === undefined || !isSound(sample)) return false;
    const family = this.family(sample);
    const series = family === undefined ? undefined : this.one(family, sample);
    if (series === undefined) return false;
    if (series.histogram !== undefined) series.histogram.add(sample.value);
    else series.value = sample.type === "counter" ? series.value + sample.value : sample.value;
    return true;
  }

  get shown(): readonly HandlerFamily[] {
    return [...this.byName.values()].map(({ name, unit, type, series }) => ({
      ...{ name, unit, type },
      series: [...series.values()].map(shownSeries),
    }));
  }

  private family({ name, unit, type }: WorkerSample): Family | undefined {
    const known = this.byName.get(name);
    if (known !== undefined) return known.type === type ? known : undefined;
    if (this.byName.size >= maxFamilies) return undefined;
    const family = { name, unit, type, series: new Map<string, Series>() };
    this.byName.set(name, family);
    return family;
  }

  private one(family: Family, { dimensions, type }: WorkerSample): Series | undefined {
    const key = JSON.stringify(dimensions);
    const known = family.series.get(key);
    if (known !== undefined) return known;
    if (this.series >= maxSeries) return undefined;
    this.series++;
    const histogram = type === "histogram" ? new Counts(buckets) : undefined;
    const series = { labels: Object.fromEntries(dimensions), value: 0, histogram };
    family.series.set(key, series);
    return series;
  }
}

/** Counters only grow, and a histogram's `le` is its own. */
function isSound({ type, value, dimensions }: WorkerSample): boolean {
  if (type === "counter") return value >= 0;
  return type === "gauge" || dimensions.every(([name]) => name !== "le");
}

function shownSeries({ labels, value, histogram }: Series): HandlerSeries {
  return histogram === undefined ? { labels, value } : { labels, histogram: histogram.shown };
}
