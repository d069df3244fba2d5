import { expect, test } from "vitest";
import type { HandlerFamily } from "../../../src/engine/engine.js";
import { HandlerFamilies, maxFamilies } from "../../../src/metrics/handler-families.js";
import type { Snapshot } from "../../../src/metrics/samples.js";

const labels = { ModelName: "m" };
const empty = { bounds: [], counts: [0], sum: 0 };

function family(name: string, type: HandlerFamily["type"], value = 1): HandlerFamily {
  return {
    name,
    unit: "Count",
    type,
    series: [type === "histogram" ? { labels, histogram: empty } : { labels, value }],
  };
}

/** As many models as lists. */
function snapshot(...models: readonly (readonly HandlerFamily[])[]): Snapshot {
  return { hostname: "h", stats: models.map((handlerMetrics) => ({ handlerMetrics })) } as unknown as Snapshot;
}

const namesOf = (found: readonly { readonly name: string }[]): string[] => found.map((row) => row.name);

test("a family is told once, and its samples are those of every model that has it with the same type", () => {
  const families = new HandlerFamilies(["taken"]);
  const other: HandlerFamily = { ...family("Cups", "counter"), series: [{ labels: { ModelName: "n" }, value: 3 }] };
  const now = snapshot([family("Cups", "counter", 2)], [other], [family("Cups", "gauge", 9)]);
  expect(families.learn(now)).toMatchObject({ come: [{ name: "Cups", type: "counter" }], gone: [] });
  expect(families.learn(now)).toEqual({ come: [], gone: [] });
  expect(families.samples("Cups", "h")).toEqual([
    { labels: { ModelName: "m", Hostname: "h" }, value: 2 },
    { labels: { ModelName: "n", Hostname: "h" }, value: 3 },
  ]);
  expect([...families.names]).toEqual(["Cups"]);
});

test("two versions with the same dimensions are one series: a page with both would not be Prometheus'", () => {
  const families = new HandlerFamilies([]);
  const histogram = { bounds: [1], counts: [2, 3], sum: 7.5 };
  const size: HandlerFamily = { ...family("Size", "histogram"), series: [{ labels, histogram }] };
  const version = [family("Cups", "counter", 2), family("Heat", "gauge", 5), size];
  const now = snapshot(version, [family("Cups", "counter", 3), family("Heat", "gauge", 6), size]);
  families.learn(now);
  const labelled = { ModelName: "m", Hostname: "h" };
  expect(families.samples("Cups", "h")).toEqual([{ labels: labelled, value: 5 }]);
  expect(families.samples("Heat", "h")).toEqual([{ labels: labelled, value: 6 }]);
  expect(families.samples("Size", "h")).toEqual([
    { labels: labelled, histogram: { bounds: [1], counts: [4, 6], sum: 15 } },
  ]);
});

test("names are learned up to a bound", () => {
  const families = new HandlerFamilies([]);
  const many = Array.from({ length: maxFamilies + 1 }, (_, i) => family(`Name${i}`, "gauge"));
  expect(families.learn(snapshot(many)).come).toHaveLength(maxFamilies);
  expect(families.learn(snapshot(many, [family("Late", "gauge")])).come).toEqual([]);
});

test("names that no version reports any more go, and may come back as another type", () => {
  const families = new HandlerFamilies([]);
  const [counter, gauge] = [family("Cups", "counter"), family("Cups", "gauge", 7)];
  families.learn(snapshot([counter], [gauge]));
  expect(families.learn(snapshot([gauge]))).toMatchObject({ come: [{ name: "Cups", type: "gauge" }], gone: ["Cups"] });
  expect(families.samples("Cups", "h")).toMatchObject([{ value: 7 }]);
  expect(families.learn(snapshot())).toEqual({ come: [], gone: ["Cups"] });
  expect([families.samples("Cups", "h"), [...families.names]]).toEqual([[], []]);
  for (let i = 0; i < 2 * maxFamilies; i += 100) {
    const some = Array.from({ length: 100 }, (_, k) => family(`Name${i + k}`, "gauge"));
    expect(families.learn(snapshot(some)).come).toHaveLength(100);
  }
  expect(families.names.size).toBe(100);
});

test("what would be taken for another family's sample is left out, whichever came first", () => {
  const families = new HandlerFamilies(["taken", "times"]);
  const wanted = [family("taken", "gauge"), family("times_sum", "gauge"), family("Size", "histogram")];
  expect(namesOf(families.learn(snapshot([...wanted, family("Size_bucket", "counter")])).come)).toEqual(["Size"]);
  expect(namesOf(families.learn(snapshot([family("Heat_count", "gauge"), family("Heat", "histogram")])).come)).toEqual([
    "Heat_count",
  ]);
});
