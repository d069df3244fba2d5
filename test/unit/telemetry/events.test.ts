import { expect, test } from "vitest";
import { maxEvents, mergedEvents, type ModelEvent, withEvent } from "../../../src/telemetry/events.js";

test("the latest are kept, their words bounded", () => {
  let events: readonly ModelEvent[] = [];
  for (let i = 0; i < maxEvents + 4; i++) events = withEvent(events, `${i} ${"x".repeat(1000)}`);
  expect(events).toHaveLength(maxEvents);
  expect(events[0]?.what.startsWith("4 ")).toBe(true);
  expect(events.at(-1)?.what).toHaveLength(512);
  expect(Date.parse(events.at(-1)?.at ?? "")).toBeGreaterThan(0);
});

test("two lists come together by time, at the same time the first before the second", () => {
  const at = (seconds: number, what: string): ModelEvent => ({ at: new Date(seconds * 1000).toISOString(), what });
  const merged = mergedEvents([at(1, "a"), at(3, "b")], [at(2, "c"), at(3, "d")]);
  expect(merged.map((each) => each.what)).toEqual(["a", "c", "b", "d"]);
  expect(mergedEvents([at(1, "a")], [])).toEqual([at(1, "a")]);
});
