import { expect, test } from "vitest";
import { openFakeEngine } from "../../../src/engine/fake.js";
import { WithAlone } from "../../../src/script/alone.js";
import type { ModelSpec } from "../../../src/types.js";
import { specOf } from "../../contract/specs.js";

const handlerOf = (version: string): ModelSpec => ({ ...specOf("echo"), kind: "handler", version });

function open(): WithAlone {
  return new WithAlone(Object.assign(openFakeEngine(), { close: () => Promise.resolve() }));
}
async function publish(engine: WithAlone, spec: ModelSpec): Promise<void> {
  await engine.load(spec, `load ${spec.version}`);
  engine.publish(`load ${spec.version}`);
}
const shown = (engine: WithAlone): unknown[] =>
  engine.stats().map(({ version, isDefault, instances }) => [version, isDefault, instances]);

test("versions of both kinds stand side by side, with one default", async () => {
  const engine = open();
  await publish(engine, { ...specOf("echo"), version: "1.0" });
  await publish(engine, handlerOf("2.0"));
  expect(engine.stats().map(({ version, isDefault }) => [version, isDefault])).toEqual([
    ["1.0", true],
    ["2.0", false],
  ]);
  engine.setDefault("echo", "2.0");
  expect(engine.stats().map(({ isDefault }) => isDefault)).toEqual([false, true]);
  engine.setDefault("echo", "1.0");
  expect(engine.stats().map(({ isDefault }) => isDefault)).toEqual([true, false]);
  expect(await engine.remove("echo", "1.0", 0)).toBe(true);
  expect(engine.stats().map(({ version }) => version)).toEqual(["2.0"]);
});

test("there is one instance at most, and none is one, too", async () => {
  const engine = open();
  await publish(engine, handlerOf("1.0"));
  engine.resize("echo", "1.0", 4);
  expect(shown(engine)).toEqual([["1.0", true, 1]]);
  engine.resize("echo", "1.0", 0);
  expect(shown(engine)).toEqual([["1.0", true, 0]]);
});

test("a version is replaced by one of either kind, and by none that was not there", async () => {
  const engine = open();
  await engine.load(handlerOf("1.0"), "a");
  await expect(engine.replace("a", 0)).rejects.toMatchObject({ code: "version_not_found" });
  engine.publish("a");
  await engine.load(handlerOf("1.0"), "b");
  expect(await engine.replace("b", 0)).toBe(true);
  await engine.load({ ...specOf("echo"), version: "1.0" }, "c");
  expect(await engine.replace("c", 0)).toBe(true);
  await engine.load(handlerOf("1.0"), "d");
  expect(await engine.replace("d", 0)).toBe(true);
  expect(engine.stats()).toHaveLength(1);
  expect(engine.stats()[0]?.executorReason).toMatch(/without a model file/);
});
