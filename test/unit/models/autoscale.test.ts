import { expect, test } from "vitest";
import type { Engine } from "../../../src/engine/engine.js";
import { Autoscaler } from "../../../src/models/autoscale.js";
import { Defaults } from "../../../src/models/defaults.js";
import { Instances } from "../../../src/models/instances.js";
import type { Workers } from "../../../src/models/models.js";
import { looksToGrow, looksToShrink } from "../../../src/models/scale-policy.js";
import { ModelTable } from "../../../src/models/table.js";
import { Tracked } from "../../../src/models/tracked.js";
import { silentLog } from "../../../src/telemetry/log.js";

/** An engine of one version whose load the test says; `most` is what it can have. */
function make(workers: Workers, most = 1024) {
  const load = { name: "m", version: "1.0", instances: Math.max(1, workers.min), lanes: 1, queueDepth: 0, inFlight: 0 };
  const engine = {
    stats: () => [load],
    resize: (_name: string, _version: string, instances: number) => void (load.instances = Math.min(instances, most)),
  } as unknown as Engine;
  const table = new ModelTable(new Defaults());
  const model = new Tracked("1", { path: "m.mar", required: false, trigger: "startup", workers });
  model.enter("ready");
  table.add(model);
  const scaler = new Autoscaler({ engine, table, instances: new Instances(engine), log: silentLog });
  const looks = (count: number): number => {
    for (let i = 0; i < count; i++) scaler.look();
    return load.instances;
  };
  return { load, model, looks, scaler };
}

test("up with a queue, down when it is long gone, with a start time each", () => {
  const { load, model, looks } = make({ min: 1, max: 3 });
  Object.assign(load, { queueDepth: 5, inFlight: 6 });
  expect(looks(looksToGrow)).toBe(2);
  expect(looks(looksToGrow)).toBe(3);
  expect(model.workerTimes).toHaveLength(3);
  Object.assign(load, { queueDepth: 0, inFlight: 0 });
  expect(looks(looksToShrink * 3)).toBe(1);
  expect(model.workers).toEqual({ min: 1, max: 3 });
});

test.each([
  { min: 2, max: 2 },
  { min: 0, max: 4 },
])("%j is left alone", (bounds) => {
  const { load, looks } = make(bounds);
  const before = load.instances;
  Object.assign(load, { queueDepth: 50, inFlight: 50 });
  expect(looks(looksToGrow * 3)).toBe(before);
});

test("a model that takes no more is not asked again", () => {
  const { load, model, looks } = make({ min: 1, max: 8 }, 1);
  Object.assign(load, { queueDepth: 5, inFlight: 6 });
  looks(looksToGrow);
  expect(model.workers).toEqual({ min: 1, max: 1 });
});

test("it looks by itself until it is stopped", async () => {
  const { load, looks, scaler } = make({ min: 1, max: 2 });
  Object.assign(load, { queueDepth: 5, inFlight: 6 });
  scaler.start();
  while (load.instances === 1) await new Promise((resolve) => setTimeout(resolve, 5));
  scaler.stop();
  expect(looks(0)).toBe(2);
});
