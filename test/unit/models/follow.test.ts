/** The manager with a followed store: real files, whose text names model, version and what the fake engine makes of it. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { optionKeys, optionRows } from "../../../src/config/options.js";
import type { ServeConfig } from "../../../src/config/serve-config.js";
import type { Engine } from "../../../src/engine/engine.js";
import { openFakeEngine } from "../../../src/engine/fake.js";
import { ServerError } from "../../../src/errors.js";
import { createModelManager, type ModelManager } from "../../../src/models/manager.js";
import type { Announce } from "../../../src/models/models.js";
import type { Prepare } from "../../../src/models/prepare.js";
import { silentLog } from "../../../src/telemetry/log.js";
import type { ModelSpec } from "../../../src/types.js";

const prepare: Prepare = async ({ path, signal, onSpec }) => {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
  const [, name, version, artifact] = /^(\w+)@([\d.]+):(\w+)$/.exec(readFileSync(path, "utf8")) ?? [];
  if (name === undefined || version === undefined || artifact === undefined) {
    throw new ServerError("invalid_model", `${path}: not an archive`);
  }
  const spec = { name, version, artifact, source: path, instances: 1, handler: { name: "base_handler", topK: 5 } };
  onSpec(spec as ModelSpec);
  return spec as ModelSpec;
};

let store: string;
let engine: Engine;
let manager: ModelManager;
let steps: string[];

function put(file: string, text: string): void {
  writeFileSync(join(store, `.${file}`), text);
  renameSync(join(store, `.${file}`), join(store, file));
}

beforeEach(async () => {
  store = mkdtempSync(join(tmpdir(), "sconce-follow-"));
  put("a.mar", "m@1:echo");
  steps = [];
  engine = openFakeEngine();
  const said = (word: string) => (name: string, version: string) =>
    Promise.resolve(void steps.push(`${word} ${name}/${version}`));
  const announce: Announce = {
    handler: said("handler"),
    defaultVersion: said("default"),
    withdraw: said("withdraw"),
    visible: () => Promise.resolve(),
  };
  const defaults = Object.fromEntries(optionKeys.map((key) => [key, optionRows[key].fallback]));
  const given = {
    positional: [],
    configSnapshots: false,
    modelStore: store,
    models: ["all"],
    pollModelStoreMs: 2,
    watch: false,
  };
  const config = { ...defaults, ...given } as unknown as ServeConfig;
  manager = createModelManager({ engine, announce, config, log: silentLog, prepare });
  await manager.start();
});
afterEach(async () => {
  await manager.stop();
  rmSync(store, { recursive: true, force: true });
});

const served = (): string[] =>
  engine.stats().map((each) => `${each.name}/${each.version}${each.isDefault ? " default" : ""}`);
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 2 });

test("the same version with other content takes its place; its workers stay", async () => {
  await manager.scale("m", "1", { min: 3, max: 4 }, false);
  put("a.mar", "m@1:sum");
  await until(() => expect(manager.get("m")[0]?.spec?.artifact).toBe("sum"));
  expect(manager.list()).toHaveLength(1);
  expect(served()).toEqual(["m/1 default"]);
  expect(steps).not.toContain("withdraw m/1");
  expect(engine.stats()[0]?.instances).toBe(3);
  expect(manager.get("m")[0]).toMatchObject({ state: "ready", isDefault: true, workers: { min: 3, max: 4 } });
  expect(manager.loadCounts()).toContainEqual({ trigger: "store", outcome: "ok", count: 1 });
});

test("another version in the file becomes the default before the old one goes", async () => {
  put("a.mar", "m@2:echo");
  await until(() => expect(served()).toEqual(["m/2 default"]));
  await until(() => expect(steps).toContain("withdraw m/1"));
  expect(steps.indexOf("default m/2")).toBeLessThan(steps.indexOf("withdraw m/1"));
});

test.each(["nonsense", "m@1:broken", "m@2:broken"])("%s leaves the old one serving and says why", async (text) => {
  put("a.mar", text);
  await until(() =>
    expect(manager.get("m")[0]?.reason).toMatch(/^a\.mar changed, and what is there now is not served: /),
  );
  expect(manager.list()).toHaveLength(1);
  expect(manager.health()).toBe("healthy");
  expect(served()).toEqual(["m/1 default"]);
  put("a.mar", "m@1:sum");
  await until(() => expect(manager.get("m")[0]?.spec?.artifact).toBe("sum"));
  expect(manager.get("m")[0]?.reason).toBeUndefined();
});

test("a new file is loaded beside; one that does not load is listed as failed and leaves /ping alone", async () => {
  put("b.mar", "m@2:echo");
  put("c.mar", "other@1:broken");
  await until(() => expect(served()).toEqual(["m/1 default", "m/2"]));
  await until(() => expect(manager.get("other")[0]?.state).toBe("failed"));
  expect(manager.health()).toBe("healthy");
  put("c.mar", "third@1:echo");
  await until(() => expect(manager.get("third")[0]?.state).toBe("ready"));
  expect(manager.get("other")).toEqual([]);
  put("c.mar", "other@1:broken");
  await until(() => expect(manager.get("third")[0]?.reason).toBeDefined());
  put("d.mar", "nonsense");
  await until(() => expect(manager.get("d")[0]?.state).toBe("failed"));
  rmSync(join(store, "d.mar"));
  await until(() => expect(manager.get("d")).toEqual([]));
});

test("a file that went takes its version along, the default moving first; the renamed one stays", async () => {
  put("b.mar", "m@2:echo");
  await until(() => expect(served()).toHaveLength(2));
  rmSync(join(store, "a.mar"));
  await until(() => expect(served()).toEqual(["m/2 default"]));
  renameSync(join(store, "b.mar"), join(store, "c.mar"));
  await until(() => expect(manager.get("m")[0]?.spec?.source).toBe(join(store, "c.mar")));
  expect(served()).toEqual(["m/2 default"]);
});

test("what an operator unregistered stays so until its file changes", async () => {
  put("b.mar", "other@1:echo");
  await until(() => expect(served()).toContain("other/1 default"));
  expect(await manager.unregister("m", "1")).toBe(true);
  put("b.mar", "other@2:echo");
  await until(() => expect(served()).toEqual(["other/2 default"]));
  put("a.mar", "m@1:echo");
  await until(() => expect(served()).toContain("m/1 default"));
});
