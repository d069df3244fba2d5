/**
 * A GIF's first frame as PIL shows it. The decoder makes black what is see-through and what lies around a frame that does
 * not fill the screen, and takes some sizes of screen for mistakes. PIL drops alpha, so see-through pixels keep their
 * palette's colour; around the frame is the see-through colour, or else the palette's first; without a palette an index is
 * a grey. So the decoder gets a still of that one frame, which is put on the screen here. Formats: GIF89a, sections 17 to
 * 24. Pure.
 */

export interface GifFrame {
  /** The screen, grown where the frame reaches beyond it, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** Of the palette, where the screen is not covered. */
  readonly around: number;
  /** Its image descriptor, and behind its data. */
  readonly from: number;
  readonly to: number;
}

const headBytes = 13;
const descriptorBytes = 10;
const hasTable = 0x80;
const extension = 0x21;
const separator = 0x2c;
const trailer = 0x3b;
const graphicControl = 0xf9;
const seeThrough = 0x01;
const greys = Uint8Array.from({ length: 3 * 256 }, (_, at) => Math.floor(at / 3));

/** Undefined: there is none. What stands between blocks is passed over, as PIL does. */
export function firstFrame(bytes: Uint8Array): GifFrame | undefined {
  let around = 0;
  let at = headBytes + tableBytes(bytes, 10);
  while (at < bytes.length && bytes[at] !== separator && bytes[at] !== trailer) {
    if (bytes[at] !== extension) {
      at++;
      continue;
    }
    if (bytes[at + 1] === graphicControl && ((bytes[at + 3] ?? 0) & seeThrough) !== 0) around = bytes[at + 6] ?? 0;
    at = afterBlocks(bytes, at + 2);
  }
  if (bytes[at] !== separator || at + descriptorBytes >= bytes.length) return undefined;
  const [left, top] = [word(bytes, at + 1), word(bytes, at + 3)];
  const [right, bottom] = [left + word(bytes, at + 5), top + word(bytes, at + 7)];
  if (right === left || bottom === top) return undefined;
  const [width, height] = [Math.max(word(bytes, 6), right), Math.max(word(bytes, 8), bottom)];
  // Behind the palette is one byte, the code size, before the sub-blocks.
  const to = afterBlocks(bytes, at + descriptorBytes + tableBytes(bytes, at + 9) + 1);
  return { width, height, left, top, right, bottom, around, from: at, to };
}

/** A GIF of that frame alone, which is all of its screen, with nothing see-through. What is cut off stays so. */
export function stillOf(bytes: Uint8Array, frame: GifFrame): Uint8Array {
  const head = Uint8Array.from(bytes.subarray(0, headBytes));
  head.set(bytes.subarray(frame.from + 5, frame.from + 9), 6);
  const bare = tableBytes(bytes, 10) === 0 && tableBytes(bytes, frame.from + 9) === 0;
  if (bare) head[10] = hasTable | 7;
  const table = bare ? greys : bytes.subarray(headBytes, headBytes + tableBytes(bytes, 10));
  const still = Buffer.concat([head, table, bytes.subarray(frame.from, frame.to), Uint8Array.of(trailer)]);
  return still.fill(0, head.length + table.length + 1, head.length + table.length + 5);
}

/** The whole screen, of the frame's pixels. `rgb`: three bytes a pixel; it is given back where the frame covers the screen. */
export function onScreen(rgb: Uint8Array, bytes: Uint8Array, frame: GifFrame): Uint8Array {
  const { left, top, right, bottom, width, height } = frame;
  if (right - left === width && bottom - top === height) return rgb;
  const screen = Buffer.alloc(3 * width * height, colourOf(bytes, frame));
  const row = 3 * (right - left);
  for (let y = top; y < bottom; y++) {
    screen.set(rgb.subarray((y - top) * row, (y - top + 1) * row), 3 * (y * width + left));
  }
  return screen;
}

function colourOf(bytes: Uint8Array, { from, around }: GifFrame): Uint8Array {
  const own = tableBytes(bytes, from + 9);
  const size = own > 0 ? own : tableBytes(bytes, 10);
  const table = own > 0 ? from + descriptorBytes : headBytes;
  if (size === 0) return new Uint8Array(3).fill(around);
  return 3 * around < size ? bytes.subarray(table + 3 * around, table + 3 * around + 3) : new Uint8Array(3);
}

/** Of the colour table whose flags are there. */
function tableBytes(bytes: Uint8Array, flagsAt: number): number {
  const flags = bytes[flagsAt] ?? 0;
  return flags & hasTable ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Past sub-blocks, each behind its length, and the empty one that ends them; not past the end. */
function afterBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let size = bytes[at] ?? 0; size !== 0; size = bytes[at] ?? 0) at += 1 + size;
  return Math.min(at + 1, bytes.length);
}

const word = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
