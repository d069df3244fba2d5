import { expect, test } from "vitest";
import { LoadCounts } from "../../../src/models/load-counts.js";

test("loads are counted by what asked for them and how they ended", () => {
  const counts = new LoadCounts();
  counts.add("startup", true);
  counts.add("store", false);
  counts.add("startup", true);
  expect(counts.all()).toEqual([
    { trigger: "startup", outcome: "ok", count: 2 },
    { trigger: "store", outcome: "failed", count: 1 },
  ]);
});
