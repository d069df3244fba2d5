import { describe, expect, test } from "vitest";
import { firstFrame, onScreen, stillOf } from "../../../src/handlers/gif.js";

const palette = [1, 2, 3, 4, 5, 6];
const head = (width: number, height: number, flags = 0x80): number[] => [
  ...Buffer.from("GIF89a"),
  width & 255,
  width >> 8,
  height & 255,
  height >> 8,
  flags,
  0,
  0,
];
/** Blocks between the head of a screen of 3 × 2 pixels with a palette of two colours, and the trailer. */
const gif = (...blocks: readonly number[][]): Uint8Array =>
  Uint8Array.from([...head(3, 2), ...palette, ...blocks.flat(), 0x3b]);
const control = (flags: number, index: number): number[] => [0x21, 0xf9, 4, flags, 0, 0, index, 0];
const comment = [0x21, 0xfe, 2, 0x21, 0xf9, 1, 7, 0];
const data = [2, 2, 0x44, 1, 0];
const frame = (left: number, top: number): number[] => [0x2c, left, 0, top, 0, 1, 0, 1, 0, 0, ...data];

function found(bytes: Uint8Array): NonNullable<ReturnType<typeof firstFrame>> {
  const first = firstFrame(bytes);
  if (first === undefined) throw new Error("no frame");
  return first;
}

describe("the first frame", () => {
  test("is found behind other blocks, with its see-through colour", () => {
    const bytes = gif(comment, control(1, 1), control(0, 0), frame(2, 1), control(1, 0), frame(0, 0));
    expect(firstFrame(bytes)).toMatchObject({ left: 2, top: 1, right: 3, bottom: 2, width: 3, height: 2, around: 1 });
  });

  test("makes the screen larger", () => {
    expect(firstFrame(gif(frame(7, 1)))).toMatchObject({ width: 8, height: 2, around: 0 });
  });

  test("is absent, has no size, or is cut off", () => {
    expect(firstFrame(gif(comment))).toBeUndefined();
    expect(firstFrame(gif([0x2c, 0, 0, 0, 0, 0, 0, 1, 0, 0, ...data]))).toBeUndefined();
    const whole = gif(comment, control(1, 1), frame(0, 0));
    for (let end = 0; end < whole.length; end++) {
      const cut = firstFrame(whole.subarray(0, end));
      if (cut !== undefined) expect(cut.to).toBeLessThanOrEqual(end);
    }
  });
});

describe("its still", () => {
  test("has a screen of its size, and nothing else; the picture stays as it was", () => {
    const bytes = Buffer.from(gif(comment, control(1, 1), frame(2, 1), control(1, 0), frame(0, 0)));
    const kept = Uint8Array.from(bytes);
    const still = stillOf(bytes, found(bytes));
    expect([...still]).toEqual([...head(1, 1), ...palette, ...frame(0, 0), 0x3b]);
    expect(Uint8Array.from(bytes)).toEqual(kept);
  });

  test("without any palette has one of greys", () => {
    const bytes = Uint8Array.from([...head(3, 2, 0), ...frame(0, 0), 0x3b]);
    const still = stillOf(bytes, found(bytes));
    expect([...still.subarray(0, 19)]).toEqual([...head(1, 1, 0x87), 0, 0, 0, 1, 1, 1]);
    expect(still).toHaveLength(13 + 768 + frame(0, 0).length + 1);
  });
});

describe("the screen", () => {
  const pixel = Uint8Array.of(9, 9, 9);
  const shown = (bytes: Uint8Array): number[] => [...onScreen(pixel, bytes, found(bytes))];

  test("has a palette's colour around the frame, black where the palette ends", () => {
    const around = (r: number, g: number, b: number): number[] => [
      r,
      g,
      b,
      r,
      g,
      b,
      r,
      g,
      b,
      r,
      g,
      b,
      9,
      9,
      9,
      r,
      g,
      b,
    ];
    expect(shown(gif(frame(1, 1)))).toEqual(around(1, 2, 3));
    expect(shown(gif(control(1, 1), frame(1, 1)))).toEqual(around(4, 5, 6));
    expect(shown(gif(control(1, 2), frame(1, 1)))).toEqual(around(0, 0, 0));
    const own = [0x2c, 1, 0, 1, 0, 1, 0, 1, 0, 0x80, 7, 8, 9, 0, 0, 0, ...data];
    expect(shown(gif(own))).toEqual(around(7, 8, 9));
  });

  test("that the frame covers is the frame", () => {
    const bytes = Uint8Array.from([...head(1, 1), ...palette, ...frame(0, 0), 0x3b]);
    expect(onScreen(pixel, bytes, found(bytes))).toBe(pixel);
  });
});
