import { expect, test } from "vitest";
import { Defaults } from "../../../src/models/defaults.js";

const told = Promise.resolve();

test("remembers what was the default, without what is gone", () => {
  const defaults = new Defaults();
  for (const version of ["1", "2", "3"]) defaults.route("m", version, told);
  expect(defaults.previous("m", ["1", "2", "3"])).toBe("2");
  expect(defaults.previous("m", ["1", "3"])).toBe("1");
  defaults.forget("m", "2");
  expect(defaults.previous("m", ["1", "2", "3"])).toBe("1");
  expect(defaults.previous("x", ["1"])).toBeUndefined();
});

test("going back forgets what came after, so that the next one goes further", () => {
  const defaults = new Defaults();
  for (const version of ["1", "2", "3"]) defaults.route("m", version, told);
  defaults.goBack("m", "2");
  defaults.route("m", "2", told);
  expect(defaults.previous("m", ["1", "2", "3"])).toBe("1");
});

test("who waits for an announcement waits for those before it too", async () => {
  const defaults = new Defaults();
  let release = (): void => undefined;
  defaults.route("m", "1", new Promise((resolve) => (release = resolve)));
  defaults.route("m", "2", told);
  let known = false;
  const waiting = defaults.announced("m").then(() => (known = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(known).toBe(false);
  release();
  await waiting;
});
