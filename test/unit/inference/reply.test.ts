import { expect, test } from "vitest";
import type { Call } from "../../../src/inference/call.js";
import { CallReply } from "../../../src/inference/reply.js";

/** A call that notes what is done to it; `takes`: whether its client takes a part at once. */
function reply(takes = true) {
  const log: string[] = [];
  const call = {
    drained: undefined as (() => void) | undefined,
    reply: (model: string, { status }: { status: number }, body: string) => log.push(`${model} ${status} ${body}`),
    open: (_model: string, { status }: { status: number }) => log.push(`open ${status}`) > 0,
    part: (bytes: Uint8Array) => log.push(`part ${bytes.length}`) > 0 && takes,
    end: () => log.push("end"),
    fail: (code: string, message: string) => log.push(`${code}: ${message}`),
  };
  return { log, call, reply: new CallReply(call as unknown as Call, "m/1", () => log.push("finished")) };
}
const bytes = (length: number): Uint8Array => new Uint8Array(length);

test("one answer, whatever comes after it", () => {
  const { log, reply: one } = reply();
  one.answer({ body: "yes" });
  one.answer({ body: "again" });
  one.part(bytes(1));
  one.fail("internal", "late");
  one.end();
  one.cancelled();
  expect(log).toEqual(["m/1 200 yes", "finished"]);
});

test("parts: the first one sends the head, empty ones send nothing", () => {
  const { log, reply: one } = reply();
  one.open({ status: 202 });
  one.part(bytes(0));
  one.part(bytes(3));
  one.open({ status: 500 });
  one.end();
  expect(log).toEqual(["open 202", "part 3", "end", "finished"]);
});

test("a slow client is waited for", async () => {
  const { log, call, reply: one } = reply(false);
  expect(one.part(bytes(3))).toBe(false);
  let ready = false;
  const waiting = one.ready().then(() => (ready = true));
  await Promise.resolve();
  expect(ready).toBe(false);
  call.drained?.();
  await waiting;
  expect(ready).toBe(true);
  const gone = one.part(bytes(1)) || one.ready();
  one.cancelled();
  await gone;
  expect(log.at(-1)).toBe("finished");
});

test("a head that cannot be sent, and a whole answer after parts, fail the request", () => {
  const bad = reply();
  bad.reply.answer({ status: 99, body: "" });
  expect(bad.log).toEqual(["bad_output: The handler answered with the status 99; 200 to 599 can be sent.", "finished"]);
  const mixed = reply();
  mixed.reply.part(bytes(1));
  mixed.reply.answer({ body: "whole" });
  expect(mixed.log.at(-2)).toMatch(/^internal: The handler gave a whole answer after/);
});

test("nothing is sent once nobody waits", () => {
  const { log, reply: one } = reply();
  one.cancelled();
  one.answer({ body: "late" });
  expect(one.part(bytes(1))).toBe(true);
  expect(log).toEqual(["finished"]);
});
