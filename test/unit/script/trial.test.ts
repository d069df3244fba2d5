import { expect, test, vi } from "vitest";
import { Trial, trialMemory } from "../../../src/script/trial.js";

test("one request is tried at a time, whichever thread has it; the others look again", async () => {
  const shared = trialMemory();
  const [one, other] = [new Trial(shared), new Trial(shared)];
  const again = vi.fn();
  expect([one.begin(again), one.begin(again), other.begin(again)]).toEqual([true, true, false]);
  expect([one.runs, other.runs]).toEqual([true, false]);
  await vi.waitFor(() => expect(again).toHaveBeenCalledTimes(1));
  other.end();
  expect(other.begin(again)).toBe(false);
  one.end();
  expect(other.begin(again)).toBe(true);
  expect([one.runs, other.runs]).toEqual([false, true]);
  other.end();
});

test("a request is alone when no thread has another one out", () => {
  const shared = trialMemory();
  const [one, other] = [new Trial(shared), new Trial(shared)];
  one.sent();
  expect([one.lone, other.lone]).toEqual([true, true]);
  other.sent();
  expect(one.lone).toBe(false);
  one.answered();
  expect(one.lone).toBe(true);
});
