import { describe, expect, test } from "vitest";
import {
  encodeLoad,
  encodePredict,
  FrameError,
  FrameReader,
  maxAnswerHeaders,
  maxWordBytes,
  type WorkerFrame,
} from "../../../src/worker/frames.js";

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");
const joined = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString("hex");
const limits = { maxAnswers: 2, maxBytes: 4096 };

/** As TorchServe 0.12.0 wrote and read them. */
const recorded = {
  load: `4c 00000001 6d 0000000a 2f746d702f6d6f64656c 00000001 00000004 682e7079 ffffffff 00000000 01`,
  predict: `49 00000002 7231 00000007 6578706c61696e 00000005 46616c7365 ffffffff
    00000004 626f6479 0000000a 746578742f706c61696e 00000005 68656c6c6f ffffffff ffffffff`,
  loaded: "000000c8 0000000e 6c6f61646564206d6f64656c206d ffffffff",
  answer: `000000c8 00000012 50726564696374696f6e2073756363657373 00000002 7231
    0000000a 746578742f706c61696e 000001a2 00000006 746561706f74
    00000002 0000000c 636f6e74656e742d74797065 0000000a 746578742f706c61696e 00000003 782d61 00000001 31
    00000005 68656c6c6f ffffffff`,
  failed: `000001f7 00000011 50726564696374696f6e206661696c6564 00000002 7231
    00000000 000001f7 00000000 00000000 00000005 6572726f72 ffffffff`,
};

describe("what is sent", () => {
  test("LOAD", () => {
    const load = { modelName: "m", modelPath: "/tmp/model", batchSize: 1, handler: "h.py", gpu: -1 };
    const bytes = encodeLoad({ ...load, envelope: "", limitMaxImagePixels: true });
    expect(Buffer.from(bytes).toString("hex")).toBe(hex(recorded.load).toString("hex"));
  });

  test("PREDICT, of one request, of several, and without a copy of the body", () => {
    const value = Buffer.from("hello");
    const request = {
      id: "r1",
      headers: [["explain", "False"] as const],
      parameters: [{ name: "body", contentType: "text/plain", value }],
    };
    expect(joined(encodePredict([request]))).toBe(hex(recorded.predict).toString("hex"));
    expect(encodePredict([request])).toContain(value);
    const bare = { id: "é", headers: [], parameters: [] };
    expect(joined(encodePredict([bare, bare]))).toBe(`49${"00000002c3a9ffffffffffffffff".repeat(2)}ffffffff`);
  });
});

function readAll(bytes: Uint8Array, step: number): WorkerFrame[] {
  const reader = new FrameReader(limits);
  const frames: WorkerFrame[] = [];
  for (let from = 0; from < bytes.length; from += step) frames.push(...reader.push(bytes.subarray(from, from + step)));
  expect(reader.pending).toBe(0);
  return frames;
}

describe("what comes back", () => {
  test.each([1, 3, 7, 10_000])("frames one behind the other, in chunks of %d", (step) => {
    const bytes = hex(recorded.loaded + recorded.answer + recorded.failed);
    const [loaded, answer, failed] = readAll(bytes, step);
    expect(loaded).toEqual({ code: 200, message: "loaded model m", answers: [] });
    expect(answer).toMatchObject({ code: 200, message: "Prediction success" });
    expect(answer?.answers[0]).toMatchObject({
      id: "r1",
      contentType: "text/plain",
      status: 418,
      phrase: "teapot",
      headers: [
        ["content-type", "text/plain"],
        ["x-a", "1"],
      ],
    });
    expect(Buffer.from(answer?.answers[0]?.body ?? []).toString()).toBe("hello");
    expect(failed).toMatchObject({ code: 503, message: "Prediction failed", answers: [{ id: "r1", status: 503 }] });
  });

  test("the answer keeps no chunk alive", () => {
    const bytes = hex(recorded.answer);
    const [frame] = new FrameReader(limits).push(bytes);
    bytes.fill(0);
    expect(Buffer.from(frame?.answers[0]?.body ?? []).toString()).toBe("hello");
  });

  test("a frame that is not whole is pending", () => {
    const reader = new FrameReader(limits);
    const bytes = hex(recorded.answer);
    expect(reader.push(bytes.subarray(0, 50))).toEqual([]);
    expect(reader.pending).toBe(50);
  });

  const int = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  const head = int(200) + int(0);
  const id = int(1) + "61";
  test.each([
    ["text of another protocol", Buffer.from("HTTP/1.1 200 OK\r\n").toString("hex"), /message of 791752241 bytes/],
    ["a negative length", int(200) + int(-5), /message of -5 bytes/],
    ["a word over the limit", int(200) + int(maxWordBytes + 1), /message of 65537 bytes/],
    [
      "more answers than asked for",
      head + `${id}${int(0)}${int(200)}${int(0)}${int(0)}${int(0)}`.repeat(3),
      /more than the 2/,
    ],
    ["too many headers", head + id + int(0) + int(200) + int(0) + int(maxAnswerHeaders + 1), /257 headers/],
    ["a negative body", head + id + int(0) + int(200) + int(0) + int(0) + int(-2), /body of -2 bytes/],
    ["a body over the limit", head + id + int(0) + int(200) + int(0) + int(0) + int(4096), /more than 4096 bytes/],
  ])("refused: %s", (_name, bytes, words) => {
    expect(() => new FrameReader(limits).push(hex(bytes))).toThrow(words);
    expect(() => new FrameReader(limits).push(hex(bytes))).toThrow(FrameError);
  });

  test("random bytes are refused or wait for more, never anything else", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
    for (let round = 0; round < 300; round++) {
      const bytes = hex(recorded.answer + recorded.failed);
      for (let change = 0; change < 3; change++) bytes[random() % bytes.length] = random() % 256;
      try {
        new FrameReader(limits).push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }
  });
});
