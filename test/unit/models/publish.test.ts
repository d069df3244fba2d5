import { expect, test } from "vitest";
import type { ServeConfig } from "../../../src/config/serve-config.js";
import type { Engine, LoadProgress } from "../../../src/engine/engine.js";
import { ServerError } from "../../../src/errors.js";
import { Defaults } from "../../../src/models/defaults.js";
import { Instances } from "../../../src/models/instances.js";
import { Publisher } from "../../../src/models/publish.js";
import { ModelTable } from "../../../src/models/table.js";
import { Tracked } from "../../../src/models/tracked.js";
import { silentLog } from "../../../src/telemetry/log.js";
import type { ModelSpec } from "../../../src/types.js";

/** Loads only end when they are cancelled, as one whose warm-up never comes to its end. */
function make(more: object = {}) {
  let reject: (error: Error) => void = () => undefined;
  let progress: LoadProgress | undefined;
  const engine = {
    load: (_: ModelSpec, __: string, onProgress: LoadProgress) => {
      progress = onProgress;
      return new Promise((___, no) => (reject = no));
    },
    cancelLoad: () => reject(new ServerError("cancelled", "the load was cancelled")),
    ...more,
  } as unknown as Engine;
  const done = () => Promise.resolve();
  const announce = { handler: done, defaultVersion: done, withdraw: done, visible: done };
  const [defaults, config] = [new Defaults(), { unloadTimeoutMs: 10_000, modelSettings: {} } as ServeConfig];
  const table = new ModelTable(defaults);
  const instances = new Instances(engine);
  const lent = { engine, announce, table, defaults, instances, config, log: silentLog };
  const publisher = new Publisher({ ...lent, forget: () => undefined });
  const model = new Tracked("1", { path: "m.mar", required: false, trigger: "startup" });
  return { publisher, model, begin: () => progress?.("load") };
}

const spec = { name: "m", version: "1.0", source: "m.mar", instances: 1, startupTimeoutMs: 20 } as ModelSpec;

test("a load that takes longer than it may ends with the option's name, and is counted from its own beginning", async () => {
  const { publisher, model, begin } = make();
  const load = publisher.load(model, spec);
  const early = await Promise.race([load.catch(() => "ended"), new Promise((resolve) => setTimeout(resolve, 60))]);
  expect(early).toBeUndefined();
  begin();
  await expect(load).rejects.toMatchObject({
    code: "invalid_model",
    message: "m.mar: not loaded within 0.02 s (startupTimeout, --probe-timeout)",
  });
});

test("the phases of a load are shown with their seconds; the wait for the engine is one of its own", async () => {
  const { publisher, model, begin } = make();
  model.reach("probe");
  const load = publisher.load(model, { ...spec, startupTimeoutMs: 60_000 });
  expect(model.entry(false).phase).toBe("waiting");
  await new Promise((resolve) => setTimeout(resolve, 30));
  begin();
  const phases = model.entry(false).phases ?? [];
  expect(phases.map(({ phase }) => phase)).toEqual(["open", "probe", "waiting", "load"]);
  expect(phases[2]?.seconds).toBeGreaterThan(0.02);
  expect(phases[3]?.seconds).toBeLessThan(0.02);
  model.abort.abort();
  await expect(load).rejects.toThrow();
  model.fail(new Error("it"));
  expect(model.entry(false).phases).toHaveLength(4);
});

test("one that is cancelled says so", async () => {
  const { publisher, model, begin } = make();
  const load = publisher.load(model, { ...spec, startupTimeoutMs: 60_000 });
  begin();
  model.abort.abort();
  await expect(load).rejects.toMatchObject({ code: "cancelled" });
});

test("a registration without instances ends when the one that it was loaded with has ended", async () => {
  const stats = { name: "m", version: "1.0", instances: 1, lanes: 1 };
  const resized: number[] = [];
  const { publisher } = make({
    load: () => Promise.resolve({ outputs: [] }),
    publish: () => undefined,
    setDefault: () => undefined,
    stats: () => [stats],
    resize: (_: string, __: string, count: number) => {
      resized.push(count);
      stats.instances = count;
    },
  });
  const model = new Tracked("1", { path: "m.mar", required: false, trigger: "management" });
  [model.name, model.version] = ["m", "1.0"];
  let over = false;
  const load = publisher
    .load(model, { ...spec, handler: { name: "base_handler", topK: 5 }, instances: 0 })
    .then(() => (over = true));
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect([resized, over]).toEqual([[0], false]);
  stats.lanes = 0;
  await load;
});
