import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "../../../src/models/turns.js";

interface Job {
  readonly end: () => void;
  readonly result: Promise<string>;
}

function setUp() {
  const turns = new Turns(1);
  const log: string[] = [];
  const run = (name: string, signal = new AbortController().signal): Job => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const job = async (): Promise<string> => {
      log.push(`${name} begins`);
      await ended;
      if (name === "bad") throw new Error("bad");
      return name;
    };
    return { end, result: turns.run(job, { signal, onWait: () => log.push(`${name} waits`) }) };
  };
  return { log, run };
}

test("jobs run one after another, in order, whether they fail or not", async () => {
  const { log, run } = setUp();
  const jobs = ["a", "bad", "c"].map((name) => run(name));
  const ends = Promise.allSettled(jobs.map((each) => each.result));
  for (const { end } of jobs) {
    end();
    await setImmediate();
  }
  expect((await ends).map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(log).toEqual(["a begins", "bad waits", "c waits", "bad begins", "c begins"]);
});

test("who is not wanted any more leaves the line at once; the others keep their places", async () => {
  const { log, run } = setUp();
  const gone = new AbortController();
  const [a, b, c] = [run("a"), run("b", gone.signal), run("c")];
  gone.abort();
  await expect(b.result).rejects.toThrow("aborted");
  expect(log).toEqual(["a begins", "b waits", "c waits"]);
  a.end();
  c.end();
  expect(await c.result).toBe("c");
  expect(log.at(-1)).toBe("c begins");
  await expect(run("d", gone.signal).result).rejects.toThrow("aborted");
  const next = run("e");
  next.end();
  expect(await next.result).toBe("e");
});
