import { expect, test } from "vitest";
import { Turns } from "../../../src/handlers/turns.js";

test("so many at once, the rest in order, and no more than may wait", async () => {
  const turns = new Turns(2, 2);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const job = (name: string) =>
    turns.run("too many", () => {
      order.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const jobs = ["a", "b", "c", "d"].map(job);
  await expect(job("e")).rejects.toMatchObject({ code: "queue_full", message: "too many" });
  expect(order).toEqual(["a", "b"]);
  ends[1]!();
  await jobs[1];
  expect(order).toEqual(["a", "b", "c"]);
  const late = job("f");
  while (ends.length < 5) {
    ends.forEach((end) => end());
    await Promise.resolve();
  }
  ends.forEach((end) => end());
  await Promise.all([...jobs, late]);
  expect(order).toEqual(["a", "b", "c", "d", "f"]);
});

test("a job that fails makes room", async () => {
  const turns = new Turns(1, 1);
  await expect(turns.run("", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await expect(turns.run("", () => Promise.resolve(3))).resolves.toBe(3);
});
