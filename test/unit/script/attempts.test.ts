import { expect, test, vi } from "vitest";
import { Attempts } from "../../../src/script/attempts.js";

function run(limitMs: number, call: () => unknown, then: (made: unknown) => void = vi.fn()) {
  const clock = { now: 0 };
  const attempts = new Attempts(limitMs, () => clock.now);
  const events = { entered: vi.fn(), left: vi.fn() };
  const fail = vi.fn();
  attempts.run("preprocess", events, call, then, fail);
  expect([events.entered.mock.calls.length, events.left.mock.calls.length]).toEqual([1, 1]);
  return { attempts, clock, then, fail };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a hook that returns is done at once, one that throws has failed", () => {
  const { then, fail } = run(10, () => 1);
  expect(then).toHaveBeenCalledWith(1);
  expect(fail).not.toHaveBeenCalled();
  const thrown = run(10, () => {
    throw new Error("x");
  });
  expect(thrown.fail).toHaveBeenCalledWith(new Error("x"));
});

test("what comes of a promise is taken, and what is done with it counts too", async () => {
  const kept = run(10, () => Promise.resolve(2));
  const refused = run(10, () => Promise.reject(new Error("later")));
  const unusable = run(
    10,
    () => Promise.resolve(3),
    () => {
      throw new Error("no input");
    },
  );
  await turn();
  expect(kept.then).toHaveBeenCalledWith(2);
  expect(refused.fail).toHaveBeenCalledWith(new Error("later"));
  expect(unusable.fail).toHaveBeenCalledWith(new Error("no input"));
});

test("one that does not settle fails after its time, once, whatever comes later", async () => {
  let settle: (made: unknown) => void = () => undefined;
  const { attempts, clock, then, fail } = run(10, () => new Promise((resolve) => (settle = resolve)));
  clock.now = 9;
  attempts.expire();
  expect(fail).not.toHaveBeenCalled();
  clock.now = 10;
  attempts.expire();
  attempts.expire();
  expect(fail).toHaveBeenCalledTimes(1);
  expect(fail.mock.calls[0]?.[0]).toMatchObject({ code: "handler_timeout" });
  settle(1);
  await turn();
  expect(then).not.toHaveBeenCalled();
});
