import { expect, test } from "vitest";
import { LoadWaits } from "../../../src/metrics/load-waits.js";

test("counts per version, and a version that is removed takes its count along", () => {
  const waits = new LoadWaits();
  const [one, two] = ["1.0", "2.0"].map((version) => ({ name: "a", version })) as [Version, Version];
  waits.keep([one]);
  for (const version of ["1.0", "2.0", "1.0"]) waits.add("a", version);
  expect([waits.of(one), waits.of(two), waits.of({ name: "b", version: "1.0" })]).toEqual([2, 1, 0]);
  waits.keep([two]);
  expect([waits.of(one), waits.of(two), waits.size]).toEqual([0, 1, 1]);
});

test("thousands of versions that come and go leave nothing", () => {
  const waits = new LoadWaits();
  for (let i = 0; i < 5000; i++) {
    waits.add(`m${i}`, "1.0");
    waits.keep([{ name: `m${i}`, version: "1.0" }]);
    expect(waits.size).toBe(1);
  }
});

type Version = Parameters<LoadWaits["of"]>[0];
