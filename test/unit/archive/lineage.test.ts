import { expect, test } from "vitest";
import { parseLineage, torchWarning } from "../../../src/archive/lineage.js";

const whole = { run: "mlflow/7", commit: "9f86d08", dataDigest: "sha256:00", torchVersion: "2.14.1" };

test("all of it, some of it, none of it", () => {
  expect(parseLineage("f", whole)).toEqual(whole);
  expect(parseLineage("f", { commit: "9f86d08" })).toEqual({ commit: "9f86d08" });
  expect([parseLineage("f", undefined), parseLineage("f", null)]).toEqual([undefined, undefined]);
});

test.each([
  ["text", /must be an object with run, commit/],
  [[], /must be an object/],
  [{ comit: "x" }, /"lineage.comit" is not one of/],
  [{ run: 7 }, /"lineage.run" must be text/],
  [{ run: "" }, /"lineage.run"/],
  [{ run: "a\nb" }, /on one line/],
  [{ run: "x".repeat(257) }, /256/],
  [{ torchVersion: "new" }, /such as 2.14.1/],
])("%j is refused", (given, words) => {
  expect(() => parseLineage("f", given)).toThrow(words);
});

test.each([
  ["2.14.1", "2.14.0", false],
  ["2.13.0", "2.14.0", false],
  ["2.15.0a0", "2.14.0", true],
  ["3.0", "2.14.0", true],
  ["2.15.0", "", false],
])("saved by torch %s, loaded by %s: %s", (torchVersion, libtorch, warns) => {
  expect(torchWarning("m.mar", { torchVersion }, libtorch) !== undefined).toBe(warns);
  expect(torchWarning("m.mar", undefined, libtorch)).toBeUndefined();
});
