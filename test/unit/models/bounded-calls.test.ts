import { expect, test } from "vitest";
import { BoundedCalls } from "../../../src/models/bounded-calls.js";

const bound = { what: "the store", timeoutMs: 20 };
const never = (): Promise<never> => new Promise(() => undefined);

test("what a call gives and what it rejects with are handed on", async () => {
  const calls = new BoundedCalls(1);
  expect(await calls.run(() => Promise.resolve(7), bound)).toBe(7);
  await expect(calls.run(() => Promise.reject(new Error("gone")), bound)).rejects.toThrow("gone");
  expect(await calls.run(() => Promise.resolve(8), bound)).toBe(8);
});

test("one that hangs is given up in time, keeps its place, and nothing else is begun until it returns", async () => {
  const calls = new BoundedCalls(1);
  let back = (): void => undefined;
  let begun = 0;
  const begin = (): Promise<number> => Promise.resolve(++begun);
  const stuck = calls.run(() => new Promise<void>((resolve) => (back = resolve)), bound);
  const others = Array.from({ length: 50 }, () => calls.run(begin, bound));
  await expect(stuck).rejects.toMatchObject({
    code: "store_timeout",
    message: "the store did not answer within 0.02 s",
  });
  for (const each of others) {
    await expect(each).rejects.toThrow("the store did not answer within 0.02 s; 1 earlier call has not returned");
  }
  expect(begun).toBe(0);
  back();
  await calls.run(() => Promise.resolve(), bound);
  expect(await calls.run(begin, bound)).toBe(1);
});

test("as many are under way as there are places, in the order they came", async () => {
  const calls = new BoundedCalls(2);
  const seen: number[] = [];
  let running = 0;
  const call = (index: number) => async (): Promise<void> => {
    expect(++running).toBeLessThanOrEqual(2);
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(index);
    running--;
  };
  await Promise.all(Array.from({ length: 9 }, (_, index) => calls.run(call(index), { ...bound, timeoutMs: 5000 })));
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("a signal, and the end, stop the waiting at once", async () => {
  const calls = new BoundedCalls(1);
  const long = { ...bound, timeoutMs: 60_000 };
  const abort = new AbortController();
  const cancelled = calls.run(never, { ...long, signal: abort.signal });
  const waiting = calls.run(never, long);
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
  calls.close();
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  await expect(calls.run(never, long)).rejects.toMatchObject({ code: "cancelled" });
});
