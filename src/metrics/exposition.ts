/**
 * The Prometheus text, written by prom-client from values read at scrape time: its own counters and histograms cannot be
 * set, but its registry takes any object with name, help, type and get. Thread: main.
 */

import { collectDefaultMetrics, Registry } from "prom-client";
import { HandlerFamilies, sampleSuffix } from "./handler-families.js";
import { asJavaClient } from "./java-text.js";
import { readers, type Sample, type Snapshot } from "./samples.js";
import { type MetricName, type MetricRow, metricTable } from "./table.js";
import { isExposed, type MetricsMode } from "./torchserve.js";
import { torchserveRows } from "./torchserve-table.js";

interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

export interface Exposition {
  /** `names`: only these families, also named by one of their samples; an unknown name gives nothing. Empty: all. */
  scrape(names?: readonly string[]): Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface ExpositionOptions {
  readonly processMetrics: boolean;
  /** Default: prometheus. */
  readonly mode?: MetricsMode;
}

/** `snapshot` is called once per scrape. */
export function createExposition(snapshot: () => Snapshot, options: ExpositionOptions): Exposition {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  let current: Snapshot | undefined;
  const register = (row: MetricRow, read: (from: Snapshot) => readonly Sample[]): void => {
    const values = (): Value[] => (current === undefined ? [] : read(current).flatMap((each) => valuesOf(row, each)));
    registry.registerMetric(metricLike(row, values) as Parameters<Registry["registerMetric"]>[0]);
  };
  for (const row of exposedRows(options.mode ?? "prometheus")) register(row, readers[row.name as MetricName]);
  const handlers = new HandlerFamilies(registry.getMetricsAsArray().map((each) => each.name));
  return {
    scrape: async (names = []) => {
      current = snapshot();
      const { come, gone } = handlers.learn(current);
      for (const name of gone) registry.removeSingleMetric(name);
      for (const row of come) register(row, ({ hostname }) => handlers.samples(row.name, hostname));
      const text = names.length === 0 ? await registry.metrics() : await some(registry, names);
      // prom-client writes "Nan" for what has no value yet; the format's word is NaN.
      const said = text.replaceAll(/ Nan$/gm, " NaN");
      return {
        contentType: registry.contentType,
        text: asJavaClient(said, new Set([...torchserveNames, ...handlers.names])),
      };
    },
  };
}

const torchserveNames: ReadonlySet<string> = new Set(torchserveRows.map((row): string => row.name));

/** Those of the process, as prom-client has them, by name. */
export function processMetrics(): readonly Pick<MetricRow, "name" | "type" | "labels" | "help">[] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const rows = registry.getMetricsAsArray().map((each) => {
    const { labelNames = [] } = each as unknown as { readonly labelNames?: readonly string[] };
    const type = String(each.type) as MetricRow["type"];
    return { name: each.name, type, labels: labelNames, help: each.help };
  });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function exposedRows(mode: MetricsMode): readonly MetricRow[] {
  const hidden = torchserveRows.filter((row) => !isExposed(mode, row.name)).map((row): string => row.name);
  return metricTable.filter((row) => !hidden.includes(row.name));
}

async function some(registry: Registry, names: readonly string[]): Promise<string> {
  const families = names.map((name) =>
    registry.getSingleMetric(name) === undefined ? name.replace(sampleSuffix, "") : name,
  );
  const known = [...new Set(families)].filter((name) => registry.getSingleMetric(name) !== undefined);
  const texts = await Promise.all(known.map((name) => registry.getSingleMetricAsString(name)));
  return texts.map((text) => `${text}\n`).join("\n");
}

function metricLike(row: MetricRow, values: () => Value[]): unknown {
  const { name, help, type } = row;
  return {
    name,
    help,
    type,
    aggregator: "sum",
    get: () => Promise.resolve({ name, help, type, aggregator: "sum", values: values() }),
  };
}

function valuesOf(row: MetricRow, sample: Sample): Value[] {
  if ("value" in sample) return [{ labels: sample.labels, value: sample.value }];
  const { bounds, counts, sum } = sample.histogram;
  let count = 0;
  const buckets = [...bounds, Infinity].map((bound, index) => {
    count += counts[index] ?? 0;
    const le = bound === Infinity ? "+Inf" : bound;
    return { labels: { le, ...sample.labels }, value: count, metricName: `${row.name}_bucket` };
  });
  return [
    ...buckets,
    { labels: sample.labels, value: sum, metricName: `${row.name}_sum` },
    { labels: sample.labels, value: count, metricName: `${row.name}_count` },
  ];
}
