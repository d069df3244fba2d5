import { expect, test } from "vitest";
import { opaqueGif } from "../../../src/handlers/gif.js";

/** A head with a palette of two colours, then blocks. */
const gif = (...blocks: readonly number[][]): Uint8Array =>
  Uint8Array.from([...Buffer.from("GIF89a"), 1, 0, 1, 0, 0x80, 0, 0, 1, 2, 3, 4, 5, 6, ...blocks.flat()]);
const control = (flags: number): number[] => [0x21, 0xf9, 4, flags, 0, 0, 1, 0];
const comment = [0x21, 0xfe, 2, 0x21, 0xf9, 1, 7, 0];
const frame = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b];

test("the first frame's flag is cleared in a copy, wherever other blocks stand", () => {
  const before = gif(comment, control(0x05), frame, control(0x01), frame);
  const kept = Uint8Array.from(before);
  expect(opaqueGif(before)).toEqual(gif(comment, control(0x04), frame, control(0x01), frame));
  expect(before).toEqual(kept);
});

test("what is opaque is left as it is, and so is what is cut anywhere", () => {
  const plain = gif(control(0x04), frame);
  expect(opaqueGif(plain)).toBe(plain);
  const whole = gif(comment, control(0x01), frame);
  for (let end = 0; end < whole.length; end++) expect(opaqueGif(whole.subarray(0, end))).toHaveLength(end);
});
