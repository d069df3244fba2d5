import { describe, expect, test } from "vitest";
import { Beside } from "../../../src/engine/beside.js";
import type { Engine } from "../../../src/engine/engine.js";
import { openFakeEngine } from "../../../src/engine/fake.js";

/** Every call of an Engine, with what it is called with. */
const calls = [
  ["info"],
  ["gpus"],
  ["deviceStats"],
  ["metadata", "m", "1"],
  ["load", {}, "a"],
  ["cancelLoad", "a"],
  ["discard", "a"],
  ["publish", "a"],
  ["remove", "m", "1", 5],
  ["replace", "a", 5],
  ["setDefault", "m", "1"],
  ["resize", "m", "1", 2],
  ["stats"],
  ["openChannel", () => undefined],
  ["openDoor"],
] as const;

describe("Beside", () => {
  test.each(calls)("%s goes to the other engine, with all that it was given", async (name, ...given) => {
    const heard: unknown[] = [];
    const other = {
      [name]: (...words: unknown[]) => {
        heard.push(words.slice(0, given.length));
        return name;
      },
    };
    const passed = new Beside(other as unknown as Engine) as unknown as Record<
      string,
      (...words: unknown[]) => unknown
    >;
    const answer = await passed[name]?.(...given);
    expect(heard).toEqual([given]);
    expect([name, undefined]).toContain(answer);
  });

  test("an engine without Python has no door, and nothing to say of a model", async () => {
    const beside = new Beside(openFakeEngine());
    expect(() => beside.openDoor()).toThrow("no door to Python workers");
    expect(await beside.metadata("m", "1")).toEqual({});
  });
});
