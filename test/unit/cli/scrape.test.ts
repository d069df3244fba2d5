import { expect, test } from "vitest";
import { parseMetrics, quantileOf, Scrape } from "../../../src/cli/scrape.js";

const text = (counts: readonly [number, number, number]): string => `# HELP h A.
# TYPE h histogram
h_bucket{le="0.001",model="m",version="1"} ${counts[0]}
h_bucket{le="0.01",model="m",version="1"} ${counts[1]}
h_bucket{le="+Inf",model="m",version="1"} ${counts[2]}
h_bucket{le="+Inf",model="other",version="1"} 7
`;

test("samples come back with their labels, escapes undone; what is no sample is passed over", () => {
  expect(parseMetrics('# TYPE a gauge\na 1.5\nb{x="1",y="q\\"\\\\\\nz,}"} +Inf\nnonsense\n\nc NaN\n')).toEqual([
    { name: "a", labels: {}, value: 1.5 },
    { name: "b", labels: { x: "1", y: 'q"\\\nz,}' }, value: Infinity },
    { name: "c", labels: {}, value: NaN },
  ]);
  expect(parseMetrics('t{a="b",} 1\n')).toEqual([{ name: "t", labels: { a: "b" }, value: 1 }]);
});

test("samples are found by some of their labels, and added up", () => {
  const scrape = new Scrape(parseMetrics('r{m="a",c="ok"} 3\nr{m="a",c="bad"} 1\nr{m="b",c="ok"} 9\n'));
  expect(scrape.sum("r", { m: "a" })).toBe(4);
  expect(scrape.sum("r")).toBe(13);
  expect(scrape.sum("nothing")).toBe(0);
});

test("quantiles lie on straight lines within buckets, of all or of what came between", () => {
  const at = (counts: readonly [number, number, number]): Scrape => new Scrape(parseMetrics(text(counts)));
  const labels = { model: "m", version: "1" };
  expect(quantileOf("h", labels, 0.5, at([10, 10, 10]))).toBeCloseTo(0.0005);
  expect(quantileOf("h", labels, 0.75, at([0, 10, 10]))).toBeCloseTo(0.00775);
  expect(quantileOf("h", labels, 0.99, at([0, 0, 10]))).toBe(0.01);
  expect(quantileOf("h", labels, 0.5, at([10, 20, 20]), at([10, 10, 10]))).toBeCloseTo(0.0055);
  expect(quantileOf("h", labels, 0.5, at([10, 10, 10]), at([10, 10, 10]))).toBeUndefined();
  expect(quantileOf("nothing", labels, 0.5, at([1, 1, 1]))).toBeUndefined();
});
