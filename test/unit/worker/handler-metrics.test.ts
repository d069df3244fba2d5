import { expect, test } from "vitest";
import { HandlerMetrics, maxFamilies, maxSeries } from "../../../src/worker/handler-metrics.js";
import { parseMetricLine, type WorkerSample } from "../../../src/worker/metric-line.js";

const line = (
  name: string,
  value: number,
  type: string,
  dimensions = "ModelName:m,Level:Model",
): WorkerSample | undefined =>
  parseMetricLine(`${name}.count:${value}|#${dimensions}|#type:${type}|#hostname:h,1700000000,id`);

test("counters add up, gauges take the last, histograms observe", () => {
  const metrics = new HandlerMetrics();
  for (const value of [2, 3]) {
    expect(metrics.take(line("Cups", value, "COUNTER"))).toBe(true);
    expect(metrics.take(line("Heat", value, "GAUGE"))).toBe(true);
    expect(metrics.take(line("Size", value, "HISTOGRAM"))).toBe(true);
  }
  expect(metrics.take(line("Cups", 1, "COUNTER", "ModelName:other"))).toBe(true);
  const labels = { ModelName: "m", Level: "Model" };
  const [cups, heat, size] = metrics.shown;
  expect(cups).toEqual({
    name: "Cups",
    unit: "Count",
    type: "counter",
    series: [
      { labels, value: 5 },
      { labels: { ModelName: "other" }, value: 1 },
    ],
  });
  expect(heat?.series).toEqual([{ labels, value: 3 }]);
  expect(size?.series).toMatchObject([{ labels, histogram: { sum: 5 } }]);
  const only = size?.series[0];
  if (only === undefined || !("histogram" in only)) throw new Error("no histogram");
  const { bounds, counts } = only.histogram;
  expect([counts[bounds.indexOf(2.5)], counts[bounds.indexOf(5)], counts.length]).toEqual([1, 1, bounds.length + 1]);
});

test("what does not fit is left out: another type, a counter that shrinks, a bucket's label, no metric", () => {
  const metrics = new HandlerMetrics();
  expect(metrics.take(line("Cups", 2, "COUNTER"))).toBe(true);
  for (const bad of [
    line("Cups", 2, "GAUGE"),
    line("Cups", -1, "COUNTER"),
    line("Size", 1, "HISTOGRAM", "le:1"),
    line("Cups", 1, "COUNTER", "__name__:x"),
    parseMetricLine("no metric"),
  ]) {
    expect(metrics.take(bad), bad?.name).toBe(false);
  }
  expect(metrics.shown).toMatchObject([{ name: "Cups", series: [{ value: 2 }] }]);
});

test("names and combinations of dimensions have a bound; those that are known go on", () => {
  const names = new HandlerMetrics();
  for (let i = 0; i < maxFamilies; i++) expect(names.take(line(`N${i}`, 1, "GAUGE"))).toBe(true);
  expect(names.take(line("More", 1, "GAUGE"))).toBe(false);
  expect(names.take(line("N0", 7, "GAUGE"))).toBe(true);
  expect(names.shown).toHaveLength(maxFamilies);
  const series = new HandlerMetrics();
  for (let i = 0; i < maxSeries; i++) expect(series.take(line("N", 1, "COUNTER", `id:${i}`))).toBe(true);
  expect(series.take(line("N", 1, "COUNTER", "id:more"))).toBe(false);
  expect(series.take(line("N", 1, "COUNTER", "id:0"))).toBe(true);
  expect(series.shown[0]?.series).toHaveLength(maxSeries);
});
