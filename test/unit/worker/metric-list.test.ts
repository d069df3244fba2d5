import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { maxMetricListBytes, readMetricList } from "../../../src/worker/metric-list.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-metric-list-"));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string): Promise<ReadonlySet<string>> {
  const path = join(folder, "metrics.yaml");
  writeFileSync(path, text);
  return readMetricList(path);
}

test("the names of all kinds under model_metrics, as TorchServe's files have them", async () => {
  const text = `
dimensions:
  - &model_name "ModelName"
ts_metrics:
  counter:
    - name: Requests2XX
model_metrics:
  counter:
    - name: Calls
      unit: count
      dimensions: [*model_name]
  gauge:
    - name: Size
  histogram:
    - name: Share
`;
  expect([...(await read(text))]).toEqual(["Calls", "Size", "Share"]);
  expect((await read("")).size).toBe(0);
  expect((await read("model_metrics:\n  counter:\n")).size).toBe(0);
});

test.each([
  ["model_metrics: [1]", "expected a mapping with counter"],
  ["[]", "expected a mapping with model_metrics"],
  ["model_metrics: {gauge: 3}", "model_metrics.gauge is no list"],
  ["model_metrics: {gauge: [{unit: ms}]}", "a metric of model_metrics.gauge has no name"],
  ["a: [", "Flow sequence"],
  ["a: *b", "Unresolved alias"],
  [" ".repeat(maxMetricListBytes + 1), `over ${maxMetricListBytes} bytes`],
])("refused: %.40s", async (text, words) => {
  await expect(read(text)).rejects.toThrow(words);
});

test("a file that is not there is named", async () => {
  await expect(readMetricList(join(folder, "nothing"))).rejects.toThrow(/--worker-metrics .*nothing: ENOENT/);
});
