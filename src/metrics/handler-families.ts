/**
 * The families that Python handlers make at run time, beside those of the table. A name belongs to whoever had it first:
 * what would be taken for a sample of another family is left out, since Prometheus drops a page with such a clash whole.
 */
import type { HandlerFamily, HandlerSeries } from "../engine/engine.js";
import type { Sample, Snapshot } from "./samples.js";
import type { MetricRow } from "./table.js";

/** A histogram's samples have names of their own. */
export const sampleSuffix = /_(bucket|sum|count)$/;

/** Names that are learned while the server runs, over all models that it ever had. */
export const maxLearned = 5000;

export class HandlerFamilies {
  private readonly known = new Map<string, MetricRow["type"]>();
  private readonly taken: ReadonlySet<string>;

  /** `taken`: names of families that are there already. */
  constructor(taken: Iterable<string>) {
    this.taken = new Set(taken);
  }

  get names(): ReadonlySet<string> {
    return new Set(this.known.keys());
  }

  /** Those that are seen for the first time. */
  learn(snapshot: Snapshot): readonly MetricRow[] {
    const found: MetricRow[] = [];
    for (const family of familiesOf(snapshot)) {
      if (this.known.size >= maxLearned) break;
      if (this.known.has(family.name) || this.clashes(family)) continue;
      this.known.set(family.name, family.type);
      const help = `TorchServe: a ${family.type} of Python handlers, in ${family.unit}.`;
      found.push({ name: family.name, type: family.type, labels: [], help });
    }
    return found;
  }

  /** Versions that report the same dimensions are one series, as in TorchServe. */
  samples(name: string, snapshot: Snapshot): readonly Sample[] {
    const type = this.known.get(name);
    const found = new Map<string, HandlerSeries>();
    for (const family of familiesOf(snapshot)) {
      if (family.name !== name || family.type !== type) continue;
      for (const series of family.series) {
        const key = JSON.stringify(Object.entries(series.labels).sort());
        const before = found.get(key);
        found.set(key, before === undefined ? series : together(before, series, type));
      }
    }
    return [...found.values()].map((each) => ({ ...each, labels: { ...each.labels, Hostname: snapshot.hostname } }));
  }

  private clashes({ name, type }: HandlerFamily): boolean {
    const has = (each: string): boolean => this.taken.has(each) || this.known.has(each);
    if (has(name) || has(name.replace(sampleSuffix, ""))) return true;
    return type === "histogram" && ["_bucket", "_sum", "_count"].some((suffix) => has(name + suffix));
  }
}

function familiesOf({ stats }: Snapshot): readonly HandlerFamily[] {
  return stats.flatMap((each) => each.handlerMetrics ?? []);
}

function together(one: HandlerSeries, other: HandlerSeries, type: MetricRow["type"]): HandlerSeries {
  if ("histogram" in one && "histogram" in other) {
    const counts = one.histogram.counts.map((count, i) => count + (other.histogram.counts[i] ?? 0));
    return { ...one, histogram: { ...one.histogram, counts, sum: one.histogram.sum + other.histogram.sum } };
  }
  if ("value" in one && "value" in other && type === "counter") return { ...one, value: one.value + other.value };
  return other;
}
