/**
 * The Prometheus text, written by prom-client from values read at scrape time: its own counters and histograms cannot be
 * set, but its registry takes any object with name, help, type and get. Thread: main.
 */

import { collectDefaultMetrics, Registry } from "prom-client";
import { readers, type Sample, type Snapshot } from "./samples.js";
import { type MetricRow, metricTable } from "./table.js";

interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

export interface Exposition {
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** `snapshot` is called once per scrape. */
export function createExposition(snapshot: () => Snapshot, options: { readonly processMetrics: boolean }): Exposition {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  let current: Snapshot | undefined;
  for (const row of metricTable) {
    const values = (): Value[] =>
      current === undefined ? [] : readers[row.name](current).flatMap((each) => valuesOf(row, each));
    registry.registerMetric(metricLike(row, values) as Parameters<Registry["registerMetric"]>[0]);
  }
  return {
    scrape: async () => {
      current = snapshot();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
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
