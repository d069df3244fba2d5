import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ModelEntry, ModelState } from "../../../src/models/models.js";
import { type Asked, Loads, maxWaiting } from "../../../src/server/loads.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function entry(name: string, version: string, state: ModelState = "loading"): ModelEntry {
  return { name, version, state, isDefault: true, loadSeconds: 0, loadedAtStartup: true, since: "" };
}

/** `announced`: "name/version" of each. */
function setUp(loadWaitMs = 500) {
  const announced: string[] = [];
  const waited: string[] = [];
  const gone: string[] = [];
  const split = (): { readonly name: string; readonly version: string }[] =>
    announced.map((each) => {
      const [name = "", version = ""] = each.split("/");
      return { name, version };
    });
  const versions = (name: string) => split().flatMap((each) => (each.name === name ? [each.version] : []));
  const about = (name: string, wanted: string) => {
    const version = versions(name).find((each) => wanted === "" || each === wanted);
    return version === undefined ? undefined : { version, versions: [], about: undefined as never };
  };
  const names = (): string[] => [...new Set(split().map(({ name }) => name))];
  const onlyName = (): string | undefined => (names().length === 1 ? names()[0] : undefined);
  const loads = new Loads({
    pipeline: { versions, about, onlyName, routed: split },
    loadWaitMs,
    waited: (name, version) => waited.push(`${name}/${version}`),
  });
  const ask = (name: string, version = "", present = true) => {
    const asked: Asked = { name, version };
    const go = (): boolean => {
      gone.push(`${name}/${version}`);
      return present;
    };
    return loads.wait(asked, go);
  };
  return { loads, ask, announced, waited, gone };
}

test("what a load holds up waits for its end, in the order in which it came, and is counted once it is served", () => {
  const { loads, ask, announced, waited, gone } = setUp();
  expect([loads.busy, ask("late")]).toEqual([false, undefined]);
  loads.show([entry("late", "1.0"), entry("broken", "1.0", "failed")]);
  expect([ask("other"), ask("late", "2.0"), ask("broken")]).toEqual([undefined, undefined, undefined]);
  for (const version of ["", "1.0", ""]) expect(ask("late", version)).toBeTypeOf("function");
  // Announced a little before it is served.
  announced.push("late/1.0");
  loads.show([entry("late", "1.0")]);
  expect(gone).toEqual([]);
  loads.show([]);
  expect(gone).toEqual(["late/", "late/1.0", "late/"]);
  expect(waited).toEqual(["late/1.0", "late/1.0", "late/1.0"]);
  vi.runAllTimers();
  expect(gone).toHaveLength(3);
});

test("requests of the default version wait only while no version serves", () => {
  const { loads, ask, announced } = setUp();
  announced.push("late/1.0");
  loads.show([entry("late", "2.0")]);
  expect(ask("late")).toBeUndefined();
  expect(ask("late", "2.0")).toBeTypeOf("function");
});

test("a load that fails, and time that is over, end the wait and count for nothing", () => {
  const { loads, ask, announced, waited, gone } = setUp();
  loads.show([entry("late", "1.0"), entry("slow", "1.0")]);
  ask("late");
  loads.show([entry("late", "1.0", "failed"), entry("slow", "1.0")]);
  expect(gone).toEqual(["late/"]);
  ask("slow");
  announced.push("slow/1.0");
  vi.advanceTimersByTime(499);
  expect(gone).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect([gone[1], waited]).toEqual(["slow/", []]);
  loads.show([]);
  expect(gone).toHaveLength(2);
});

test("whoever leaves is forgotten, and who was not there any more is not counted", () => {
  const { loads, ask, announced, waited, gone } = setUp();
  loads.show([entry("late", "1.0")]);
  ask("late")?.();
  ask("late", "1.0", false);
  announced.push("late/1.0");
  loads.show([]);
  expect([gone, waited, vi.getTimerCount()]).toEqual([["late/1.0"], [], 0]);
});

test("a thousand wait, and when the server ends nobody does", () => {
  const { loads, ask, waited, gone } = setUp();
  loads.show([entry("late", "1.0")]);
  for (let i = 0; i < maxWaiting; i++) ask("late");
  expect(ask("late")).toBeUndefined();
  loads.end();
  expect([gone.length, waited, vi.getTimerCount()]).toEqual([maxWaiting, [], 0]);
  expect([loads.busy, ask("late")]).toEqual([false, undefined]);
});

test("nothing waits where that is not asked for", () => {
  const { loads, ask } = setUp(0);
  loads.show([entry("late", "1.0")]);
  expect([loads.busy, ask("late")]).toEqual([false, undefined]);
});

test("the only model there is, or will be", () => {
  const { loads, announced } = setUp();
  expect(loads.onlyName()).toBeUndefined();
  loads.show([entry("late", "1.0"), entry("late", "2.0")]);
  expect([loads.onlyName(), loads.unreadyOf("late").length, loads.unreadyOf("other")]).toEqual(["late", 2, []]);
  loads.show([entry("late", "1.0"), entry("later", "1.0")]);
  expect(loads.onlyName()).toBeUndefined();
  announced.push("here/1.0");
  expect(loads.onlyName()).toBe("here");
  announced.push("there/1.0");
  loads.show([entry("late", "1.0")]);
  expect(loads.onlyName()).toBeUndefined();
});
