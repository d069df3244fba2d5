import { expect, test } from "vitest";
import { BatchList, maxKeptBatches } from "../../../src/engine/batch-list.js";

const batch = { name: "m", runMs: 1, outsideMs: 0, waitsMs: [0] };

test("a list keeps batches until they are taken, behind those of another engine", () => {
  const list = new BatchList(true);
  const others = { batches: [{ ...batch, name: "other", at: 1 }], leftOut: 2 };
  expect(list.take(others)).toBe(others);
  list.add(batch);
  expect(list.take(others)).toEqual({
    batches: [...others.batches, { ...batch, at: expect.any(Number) as number }],
    leftOut: 2,
  });
  expect(list.take(undefined)).toEqual({ batches: [], leftOut: 0 });
});

test("a list is bounded, and keeps nothing that nobody wants", () => {
  const list = new BatchList(true);
  for (let i = 0; i < maxKeptBatches + 3; i++) list.add(batch);
  const { batches, leftOut } = list.take(undefined);
  expect([batches.length, leftOut]).toEqual([maxKeptBatches, 3]);
  const unwanted = new BatchList(false);
  unwanted.add(batch);
  expect(unwanted.take(undefined).batches).toEqual([]);
});
