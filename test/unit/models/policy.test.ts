import { describe, expect, test } from "vitest";
import { healthOf, nextSteps, type Actual, type Snapshot } from "../../../src/models/policy.js";

const actual = (id: string, state: Actual["state"], name?: string, version = "1.0"): Actual => ({
  id,
  state,
  name,
  version,
});
function steps(snapshot: Partial<Snapshot>) {
  return nextSteps({ desired: [], actual: [], chosenDefaults: new Map(), routedDefaults: new Map(), ...snapshot });
}
const routed = (version: string) => new Map([["m", version]]);
const two = [actual("a", "ready", "m", "1.0"), actual("b", "ready", "m", "2.0")];
const wanted = [{ id: "a" }, { id: "b" }];

describe("nextSteps", () => {
  test.each<[string, Partial<Snapshot>, unknown]>([
    ["nothing wanted, nothing there", {}, []],
    ["wanted and not there", { desired: [{ id: "a" }] }, [{ kind: "load", id: "a" }]],
    ["wanted and loading", { desired: [{ id: "a" }], actual: [actual("a", "loading")] }, []],
    ["wanted and failed: not tried again", { desired: [{ id: "a" }], actual: [actual("a", "failed", "m")] }, []],
    ["loading and not wanted", { actual: [actual("a", "loading")] }, [{ kind: "cancel", id: "a" }]],
    ["ready and not wanted", { actual: [actual("a", "ready", "m")] }, [{ kind: "unload", id: "a" }]],
    ["failed and not wanted", { actual: [actual("a", "failed")] }, [{ kind: "forget", id: "a" }]],
    ["unloading and not wanted", { actual: [actual("a", "unloading", "m")] }, []],
    ["ready and routed", { desired: wanted, actual: two, routedDefaults: routed("1.0") }, []],
    [
      "the one asked for first becomes the default, whichever was ready first",
      { desired: wanted, actual: [...two].reverse(), routedDefaults: routed("2.0") },
      [{ kind: "default", name: "m", version: "1.0" }],
    ],
    [
      "a chosen default wins",
      { desired: wanted, actual: two, routedDefaults: routed("1.0"), chosenDefaults: routed("2.0") },
      [{ kind: "default", name: "m", version: "2.0" }],
    ],
    [
      "a chosen default that is not ready does not count",
      { desired: wanted, actual: two, routedDefaults: routed("1.0"), chosenDefaults: routed("3.0") },
      [],
    ],
    [
      "a default that failed leaves its place to the next",
      { desired: wanted, actual: [actual("a", "failed", "m", "1.0"), two[1]!] },
      [{ kind: "default", name: "m", version: "2.0" }],
    ],
  ])("%s", (_, snapshot, expected) => expect(steps(snapshot)).toEqual(expected));
});

test.each([
  [[], "empty"],
  [["unloading"], "empty"],
  [["ready"], "healthy"],
  [["ready", "unloading"], "healthy"],
  [["ready", "failed"], "partial"],
  [["ready", "loading"], "unready"],
  [["loading"], "unready"],
  [["failed"], "unready"],
] as const)("healthOf(%j) is %s", (states, health) => expect(healthOf(states)).toBe(health));
