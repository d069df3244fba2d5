import { expect, test } from "vitest";
import type { FromGuest } from "../../../src/script/messages.js";
import {
  bytesWords,
  HandlerLog,
  HandlerMetrics,
  maxLogsPerSecond,
  maxMetricNames,
  words,
} from "../../../src/script/told.js";

test("log lines over the bound of a second are counted instead", () => {
  const said: FromGuest[] = [];
  const clock = { now: 0 };
  const log = new HandlerLog(
    (message) => void said.push(message),
    () => clock.now,
  );
  for (let i = 0; i < maxLogsPerSecond + 5; i++) log.info("x", { i, f: () => 1, e: new Error("inside") });
  expect(said).toHaveLength(maxLogsPerSecond);
  expect(said[0]).toMatchObject({ level: "info", fields: { i: 0, e: expect.stringContaining("inside") as string } });
  clock.now = 1000;
  log.warn("y");
  expect(said.at(-2)).toMatchObject({ level: "warn", fields: { lines: 5 } });
  expect(said.at(-1)).toMatchObject({ message: "y" });
});

test("fields that cannot be written lose no line", () => {
  const said: FromGuest[] = [];
  const circle: { self?: unknown } = {};
  circle.self = circle;
  new HandlerLog((message) => void said.push(message)).error("z", circle);
  expect(said).toMatchObject([{ message: "z", fields: { fields: "(not serialisable)" } }]);
});

test("metrics are told when they changed, under names that are some", () => {
  const said: FromGuest[] = [];
  const metrics = new HandlerMetrics((message) => void said.push(message));
  metrics.flush();
  metrics.count("seen");
  metrics.count("seen", 2);
  metrics.set("level", -1);
  metrics.flush();
  metrics.flush();
  expect(said).toEqual([{ type: "metrics", counts: [["seen", 3]], values: [["level", -1]] }]);
  expect(() => metrics.count("a b")).toThrow(/is no name/);
  expect(() => metrics.count("seen", -1)).toThrow(/nothing to add/);
  for (let i = 2; i < maxMetricNames; i++) metrics.set(`n${i}`, 0);
  expect(() => metrics.set("more", 0)).toThrow(/at most 64 names/);
});

test("whatever is thrown has words, and bytes stand alone", () => {
  expect(words(new Error("e"))).toMatch(/e/);
  expect(words("text")).toBe("'text'");
  expect(words(undefined)).toBe("undefined");
  const view = new Uint8Array(8).subarray(2, 4);
  expect((bytesWords(view) as Uint8Array).buffer.byteLength).toBe(2);
  expect(bytesWords("x")).toBe("x");
});
