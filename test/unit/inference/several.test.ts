import { expect, test } from "vitest";
import { type Channel, INLINE, OutputFormat, unnamed } from "../../../src/engine/engine.js";
import type { OutputTensor, Pixels } from "../../../src/handlers/handler.js";
import type { Call } from "../../../src/inference/call.js";
import { type Failure, Several } from "../../../src/inference/several.js";

const picture: Pixels = { data: Uint8Array.of(1), width: 1, height: 1, channels: 1 };
const route = { name: "m", version: "", nameId: 4, named: false, timeoutMs: 9 };
const output = (value: number): OutputTensor[] => [{ dtype: "uint8", shape: [1], data: Uint8Array.of(value) }];

/** `refuse`: the place of the picture that the engine does not take. */
function setUp(count: number, refuse = -1) {
  const sent: number[] = [];
  const cancelled: number[] = [];
  const channel = {
    inferImage: (cookie: number, nameId: number, _version: string, ...rest: unknown[]) => {
      expect([nameId, ...rest.slice(1)]).toEqual([4, 1, 1, 1, unnamed(OutputFormat.tensors), 9]);
      if (sent.length === refuse) return -10;
      sent.push(cookie);
      return sent.length === 1 ? 1 : INLINE;
    },
    cancel: (cookie: number) => cancelled.push(cookie),
    lastError: () => "full",
  } as unknown as Channel;
  const several = new Several(channel);
  const call = { route } as Call;
  const outcomes: { readonly model: string; readonly outcome: readonly OutputTensor[] | Failure }[] = [];
  const pictures = Array.from({ length: count }, () => picture);
  const inline = several.start(call, pictures, (model, outcome) => outcomes.push({ model, outcome }));
  const end = (at: number, code = 0, value = at): void =>
    several.completed(sent[at] ?? -1, code, "m/1.0", () => output(value), `fault of ${at}`);
  return { several, call, sent, cancelled, outcomes, inline, end };
}

test("outputs in the order of the pictures, whatever the order in which they end", () => {
  const { several, sent, outcomes, inline, end } = setUp(3);
  expect(inline).toBe(true);
  expect(sent.every((cookie) => several.owns(cookie))).toBe(true);
  expect([0, 1, 65_536, 2 ** 30].some((cookie) => several.owns(cookie))).toBe(false);
  [2, 0].forEach((at) => end(at));
  expect(outcomes).toEqual([]);
  end(1);
  expect(outcomes).toEqual([{ model: "m/1.0", outcome: [0, 1, 2].flatMap(output) }]);
});

test("the first that fails says why; the others are dropped, and nobody is told before all have ended", () => {
  const { sent, cancelled, outcomes, end } = setUp(4);
  end(2, 7);
  expect(cancelled).toEqual([sent[0], sent[1], sent[3]]);
  end(3, 14);
  end(1, 7);
  end(0);
  expect(outcomes).toEqual([{ model: "m/1.0", outcome: { code: "model_error", message: "instance 1: fault of 1" } }]);
});

test("what the engine does not take ends the request, at once where nothing is under way", () => {
  expect(setUp(2, 0).outcomes).toEqual([{ model: "", outcome: { code: "queue_full", message: "instance 0: full" } }]);
  const { outcomes, cancelled, sent, end } = setUp(3, 1);
  expect([outcomes.length, cancelled]).toEqual([0, [sent[0]]]);
  end(0, 14);
  expect(outcomes).toMatchObject([{ outcome: { message: "instance 1: full" } }]);
});

test("a client that goes away drops what has not begun", () => {
  const { several, call, sent, cancelled, outcomes, end } = setUp(2);
  end(0);
  several.cancel(call);
  expect(cancelled).toEqual([sent[1]]);
  end(1, 14);
  expect(outcomes).toHaveLength(1);
  several.cancel(call);
  expect(cancelled).toHaveLength(1);
});
