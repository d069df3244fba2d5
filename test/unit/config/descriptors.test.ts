import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { descriptorLimit, Descriptors, spareDescriptors } from "../../../src/config/descriptors.js";

test("the soft limit of the kernel's table", () => {
  const line = (soft: string): string =>
    `Max processes  10  20  processes\nMax open files            ${soft}   4096   files\n`;
  expect(["1024", "unlimited"].map((soft) => descriptorLimit(line(soft)))).toEqual([1024, Infinity]);
  expect(descriptorLimit("")).toBe(Infinity);
});

test("refuses near the limit, and only those that have many", () => {
  const refuses = (free: number, connections: number): boolean => new Descriptors(800, () => free).refuses(connections);
  const last = 800 - spareDescriptors;
  expect([refuses(last - 1, 101), refuses(last, 101), refuses(last, 100)]).toEqual([false, true, false]);
  const none = new Descriptors(800, () => {
    throw new Error("EMFILE");
  });
  expect([none.refuses(101), none.refuses(100)]).toEqual([true, false]);
});

test("what was too much stays so for a while", () => {
  const state = { free: 800, now: 0 };
  const descriptors = new Descriptors(
    800,
    () => state.free,
    () => state.now,
  );
  expect(descriptors.refuses(500)).toBe(true);
  state.free = 200;
  expect([descriptors.refuses(500), descriptors.refuses(499)]).toEqual([true, false]);
  state.now = 5000;
  expect(descriptors.refuses(500)).toBe(false);
});

test("asks this kernel", () => {
  const fd = openSync("/dev/null", "r");
  expect([new Descriptors(fd).refuses(fd), new Descriptors(fd + 1000).refuses(fd + 1000)]).toEqual([true, false]);
  closeSync(fd);
});
