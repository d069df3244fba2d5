import { expect, test } from "vitest";
import { type Channel, INLINE, OutputFormat, unnamed } from "../../../src/engine/engine.js";
import type { OutputTensor, Pixels } from "../../../src/handlers/handler.js";
import type { Call } from "../../../src/inference/call.js";
import { type Failure, Several } from "../../../src/inference/several.js";

const picture: Pixels = { data: Uint8Array.of(1), width: 1, height: 1, channels: 1 };
const route = { name: "m", version: "", nameId: 4, named: false, timeoutMs: 9, by: "server" };
const output = (value: number): OutputTensor[] => [{ dtype: "uint8", shape: [1], data: Uint8Array.of(value) }];

/** Of the engine's status.h. */
const queueFull = 10;

/** `refuse`: the place of the picture that the engine does not take, and why. */
function setUp(count: number, refuse = -1, code = queueFull) {
  const engine = { refuse, flushes: 0 };
  const sent: number[] = [];
  const versions: string[] = [];
  const cancelled: number[] = [];
  const channel = {
    inferImage: (cookie: number, nameId: number, version: string, ...rest: unknown[]) => {
      expect([nameId, ...rest.slice(1)]).toEqual([4, 1, 1, 1, unnamed(OutputFormat.tensors), 9]);
      if (sent.length === engine.refuse) return -code;
      sent.push(cookie);
      versions.push(version);
      return sent.length === 1 ? 1 : INLINE;
    },
    cancel: (cookie: number) => cancelled.push(cookie),
    lastError: () => "full",
  } as unknown as Channel;
  const several = new Several(channel, () => engine.flushes++);
  const call = { route } as Call;
  const outcomes: { readonly model: string; readonly outcome: readonly OutputTensor[] | Failure }[] = [];
  const pictures = Array.from({ length: count }, () => picture);
  several.start(call, pictures, (model, outcome) => outcomes.push({ model, outcome }));
  const end = (at: number, code = 0, value = at): void =>
    several.completed(sent[at] ?? -1, code, "m/1.0", () => output(value), `fault of ${at}`);
  return { several, call, sent, versions, cancelled, outcomes, engine, end };
}

test("outputs in the order of the pictures, whatever the order in which they end", () => {
  const { several, sent, outcomes, engine, end } = setUp(3);
  expect(engine.flushes).toBe(2);
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
  const modelNotFound = 2;
  const { outcomes, cancelled, sent, end } = setUp(3, 1, modelNotFound);
  expect([outcomes.length, cancelled]).toEqual([0, [sent[0]]]);
  end(0, 14);
  expect(outcomes).toMatchObject([{ outcome: { message: "instance 1: full" } }]);
});

test("what a full queue does not take waits for an answer, and fails when there is none to wait for", () => {
  const { outcomes, cancelled, sent, engine, end } = setUp(4, 2);
  expect(sent.length).toBe(2);
  engine.refuse = 3;
  end(0);
  expect(sent.length).toBe(3);
  engine.refuse = -1;
  end(2);
  expect(sent.length).toBe(4);
  [1, 3].forEach((at) => end(at));
  expect([outcomes, cancelled]).toEqual([[{ model: "m/1.0", outcome: [0, 1, 2, 3].flatMap(output) }], []]);

  const other = setUp(2, 1);
  other.end(0);
  expect(other.outcomes).toMatchObject([{ outcome: { code: "queue_full", message: "instance 1: full" } }]);
});

test("64 of one request are under way at a time, and after a failure no more are begun", () => {
  const { sent, outcomes, end } = setUp(130);
  expect(sent.length).toBe(64);
  for (let at = 0; at < 130; at++) {
    expect(sent.length).toBe(Math.min(130, 64 + at));
    end(at, 0, at % 256);
  }
  expect(outcomes).toMatchObject([{ outcome: { length: 130 } }]);

  const failing = setUp(130);
  failing.end(5, 7);
  for (const at of failing.sent.keys()) if (at !== 5) failing.end(at, 14);
  expect(failing.sent.length).toBe(64);
  expect(failing.outcomes).toMatchObject([{ outcome: { message: "instance 5: fault of 5" } }]);
});

test("the version that answers first answers all; when it goes meanwhile, the client is told to send again", () => {
  const { versions, outcomes, sent, end, engine } = setUp(66, -1, 3);
  end(3);
  expect([versions[63], versions[64]]).toEqual(["", "1.0"]);
  engine.refuse = 65;
  end(4);
  for (const at of sent.keys()) if (at !== 3 && at !== 4) end(at, 14);
  const message = "instance 65: m/1.0 was replaced while it answered: send the request again.";
  expect(outcomes).toEqual([{ model: "m/1.0", outcome: { code: "not_ready", message } }]);
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
