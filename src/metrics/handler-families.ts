/**
 * The families that Python handlers make at run time, beside those of the table. A name belongs to whoever had it first:
 * what would be taken for a sample of another family is left out, since Prometheus drops a page with such a clash whole.
 */
import type { HandlerFamily, HandlerSeries } from "../engine/engine.js";
import type { Sample, Snapshot } from "./samples.js";
import type { MetricRow } from "./table.js";

/** A histogram's samples have names of their own. */
export const sampleSuffix = /_(bucket|sum|count)$/;

/** Names that a page has at one time. */
export const maxFamilies = 5000;

export interface Learned {
  /** Seen for the first time. */
  readonly come: readonly MetricRow[];
  /** No version reports them any more: whoever has such a name next may make another type of it. */
  readonly gone: readonly string[];
}

export class HandlerFamilies {
  private readonly known = new Map<string, MetricRow["type"]>();
  private readonly taken: ReadonlySet<string>;
  /** Of the last snapshot. */
  private now = new Map<string, readonly HandlerFamily[]>();

  /** `taken`: names of families that are there already. */
  constructor(taken: Iterable<string>) {
    this.taken = new Set(taken);
  }

  get names(): ReadonlySet<string> {
    return new Set(this.known.keys());
  }

  learn({ stats }: Pick<Snapshot, "stats">): Learned {
    const all = stats.flatMap((each) => each.handlerMetrics ?? []);
    this.now = new Map();
    for (const family of all) this.now.set(family.name, [...(this.now.get(family.name) ?? []), family]);
    const gone = [...this.known.keys()].filter((name) => this.reported(name).length === 0);
    for (const name of gone) this.known.delete(name);
    const come: MetricRow[] = [];
    for (const family of all) {
      if (this.known.size >= maxFamilies) break;
      if (this.known.has(family.name) || this.clashes(family)) continue;
      this.known.set(family.name, family.type);
      const help = `TorchServe: a ${family.type} of Python handlers, in ${family.unit}.`;
      come.push({ name: family.name, type: family.type, labels: [], help });
    }
    return { come, gone };
  }

  /** Of what was last learned from. Versions that report the same dimensions are one series, as in TorchServe. */
  samples(name: string, hostname: string): readonly Sample[] {
    const type = this.known.get(name);
    const found = new Map<string, HandlerSeries>();
    for (const series of this.reported(name).flatMap((family) => family.series)) {
      const key = JSON.stringify(Object.entries(series.labels).sort());
      const before = found.get(key);
      found.set(key, before === undefined || type === undefined ? series : together(before, series, type));
    }
    return [...found.values()].map((each) => ({ ...each, labels: { ...each.labels, Hostname: hostname } }));
  }

  /** By whoever has the name with the type that the page has it by. */
  private reported(name: string): readonly HandlerFamily[] {
    return (this.now.get(name) ?? []).filter((family) => family.type === this.known.get(name));
  }

  private clashes({ name, type }: HandlerFamily): boolean {
    const has = (each: string): boolean => this.taken.has(each) || this.known.has(each);
    if (has(name) || has(name.replace(sampleSuffix, ""))) return true;
    return type === "histogram" && ["_bucket", "_sum", "_count"].some((suffix) => has(name + suffix));
  }
}

function together(one: HandlerSeries, other: HandlerSeries, type: MetricRow["type"]): HandlerSeries {
  if ("histogram" in one && "histogram" in other) {
    const counts = one.histogram.counts.map((count, i) => count + (other.histogram.counts[i] ?? 0));
    return { ...one, histogram: { ...one.histogram, counts, sum: one.histogram.sum + other.histogram.sum } };
  }
  if ("value" in one && "value" in other && type === "counter") return { ...one, value: one.value + other.value };
  return other;
}
