/** The metrics port's text, read back: samples by name and labels, and what two scrapes say of the time between. Pure. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const label = /(\w+)="((?:[^"\\]|\\.)*)",?/g;

/** Lines that are no samples are passed over. */
export function parseMetrics(text: string): readonly Sample[] {
  return text.split("\n").flatMap((each) => {
    const found = line.exec(each);
    if (found === null) return [];
    const [, name = "", inner = "", value = ""] = found;
    const labels = [...inner.matchAll(label)].map(([, key = "", raw = ""]) => [key, unescape(raw)]);
    return [{ name, labels: Object.fromEntries(labels) as Record<string, string>, value: number(value) }];
  });
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function number(text: string): number {
  const found = /^([+-]?)Inf$/.exec(text);
  return found === null ? Number(text) : found[1] === "-" ? -Infinity : Infinity;
}

export type Labels = Readonly<Record<string, string>>;

/** The samples of one scrape. */
export class Scrape {
  private readonly byName = new Map<string, Sample[]>();

  constructor(samples: readonly Sample[]) {
    for (const sample of samples) {
      const known = this.byName.get(sample.name);
      if (known === undefined) this.byName.set(sample.name, [sample]);
      else known.push(sample);
    }
  }

  /** Those that have these labels, among others. */
  all(name: string, labels: Labels = {}): readonly Sample[] {
    const wanted = Object.entries(labels);
    return (this.byName.get(name) ?? []).filter((each) => wanted.every(([key, value]) => each.labels[key] === value));
  }

  sum(name: string, labels: Labels = {}): number {
    return this.all(name, labels).reduce((sum, each) => sum + each.value, 0);
  }
}

/**
 * The value below which the share `quantile` of a histogram's observations lies, straight lines within buckets, as
 * Prometheus' histogram_quantile has it. Undefined without observations. `before`: only what came after it.
 */
export function quantileOf(
  name: string,
  labels: Labels,
  quantile: number,
  now: Scrape,
  before?: Scrape,
): number | undefined {
  const earlier = new Map(before?.all(`${name}_bucket`, labels).map((each) => [each.labels["le"], each.value]));
  const buckets = now
    .all(`${name}_bucket`, labels)
    .map((each) => ({
      bound: number(each.labels["le"] ?? ""),
      count: each.value - (earlier.get(each.labels["le"]) ?? 0),
    }))
    .sort((a, b) => a.bound - b.bound);
  const total = buckets.at(-1)?.count ?? 0;
  if (!(total > 0)) return undefined;
  const rank = quantile * total;
  const index = buckets.findIndex((each) => each.count >= rank);
  const found = buckets[index];
  const below = buckets[index - 1] ?? { bound: 0, count: 0 };
  if (found === undefined || found.bound === Infinity) return below.bound;
  const share = found.count > below.count ? (rank - below.count) / (found.count - below.count) : 1;
  return below.bound + (found.bound - below.bound) * share;
}
