/** Unpacking of completions, on functions that answer as native/node/report.h has it. The rest is test/contract's. */
import { describe, expect, test } from "vitest";
import { InputFormat, OutputFormat } from "../../../src/engine/engine.js";
import { type ChannelFunctions, metaWords, NativeChannel } from "../../../src/engine/native-channel.js";

type Packed = ReturnType<ChannelFunctions["flush"]>;
interface Pack {
  readonly records: readonly (readonly [
    cookie: number,
    code: number,
    tag: number,
    kind: number,
    a: number,
    b: number,
  ])[];
  readonly more: boolean;
  readonly value: Packed;
}

function channelOn(packs: Pack[], calls: unknown[] = []): { channel: NativeChannel; asked: number[] } {
  const meta = new Uint32Array(metaWords);
  const asked: number[] = [];
  const next = (): Packed => {
    const pack = packs.shift();
    meta[0] = pack?.records.length ?? 0;
    meta[1] = pack?.more === true ? 1 : 0;
    meta.set(pack?.records.flat() ?? [], 2);
    return pack?.value;
  };
  const infer = (...values: unknown[]): number => calls.push(values) - 1;
  const functions = { flush: next, drain: next, close: () => undefined, infer, nameId: () => 3 };
  const channel = new NativeChannel(functions as unknown as ChannelFunctions, meta, (tag) => {
    asked.push(tag);
    return `model-${tag}/1.0`;
  });
  return { channel, asked };
}

describe("completions", () => {
  test("texts, messages, buffers and tensors in one pack; tags are asked once", () => {
    const body = new ArrayBuffer(8);
    const leaves = Float64Array.of(8, 0, 24, 2, 2, 3, 5, 24, 8, 0);
    const { channel, asked } = channelOn([
      {
        records: [
          [7, 0, 1, 0, 0, 3],
          [4_294_967_295, 7, 2, 0, 3, 4],
          [9, 0, 1, 1, 0, 0],
          [10, 0, 1, 2, 1, 0],
          [11, 7, 1, 1, 3, 0],
        ],
        more: false,
        value: ["[1]oops", body, body, leaves, "größer"],
      },
    ]);
    const seen: unknown[] = [];
    channel.flush((...completion) => seen.push(completion));
    expect(seen).toEqual([
      [7, 0, "model-1/1.0", "[1]", undefined],
      [4_294_967_295, 7, "model-2/1.0", "oops", undefined],
      [9, 0, "model-1/1.0", body, undefined],
      [
        10,
        0,
        "model-1/1.0",
        body,
        [
          { dtype: "float32", shape: [2, 3], offset: 0, bytes: 24 },
          { dtype: "int64", shape: [], offset: 24, bytes: 8 },
        ],
      ],
      [11, 7, "model-1/1.0", "größer", undefined],
    ]);
    expect(asked).toEqual([1, 2]);
  });

  test("crosses again while there is more", () => {
    const pack = (cookie: number, more: boolean): Pack => ({ records: [[cookie, 0, 1, 0, 0, 1]], more, value: "1" });
    const { channel } = channelOn([pack(1, true), pack(2, true), pack(3, true), pack(4, false)]);
    const seen: number[] = [];
    channel.drain((cookie) => seen.push(cookie));
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("a sink that closes the channel hears nothing more", () => {
    const records = [
      [1, 0, 1, 0, 0, 1],
      [2, 0, 1, 0, 0, 1],
    ] as const;
    const { channel } = channelOn([{ records, more: true, value: "1" }]);
    const seen: number[] = [];
    channel.flush((cookie) => {
      seen.push(cookie);
      channel.close();
    });
    expect(seen).toEqual([1]);
  });
});

test("requests cross with packed formats, a bounded timeout and no version for the default", () => {
  const calls: unknown[] = [];
  const { channel } = channelOn([], calls);
  const body = new ArrayBuffer(1);
  channel.infer(1, 2, "", body, InputFormat.npy, OutputFormat.tensors, 1e12);
  channel.infer(1, 2, "1.0", body, InputFormat.raw, OutputFormat.npy, 5);
  expect(calls).toEqual([
    [1, 2, body, 2 | (3 << 4), 0xffff_ffff],
    [1, 2, body, 1 | (1 << 4), 5, "1.0"],
  ]);
});
