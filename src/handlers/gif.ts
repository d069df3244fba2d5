/**
 * A GIF's see-through pixels keep their palette's colour in PIL, which drops alpha; the decoder would make them black. So the
 * first frame is declared opaque before it is decoded. Formats: GIF89a, sections 23 and 24. Pure.
 */

const headBytes = 13;
const extension = 0x21;
const graphicControl = 0xf9;
const controlBytes = 4;
const seeThrough = 0x01;
/** Blocks before the first frame; a file with more is left as it is. */
const maxBlocks = 1000;

/** The bytes themselves where nothing is see-through, else a copy. */
export function opaqueGif(bytes: Uint8Array): Uint8Array {
  const flags = firstFlags(bytes);
  if (flags < 0 || ((bytes[flags] ?? 0) & seeThrough) === 0) return bytes;
  const copy = new Uint8Array(bytes);
  copy[flags] = (bytes[flags] ?? 0) & ~seeThrough;
  return copy;
}

/** Where the flags of the first frame's graphic control extension are; -1: it has none. */
function firstFlags(bytes: Uint8Array): number {
  const screen = bytes[10] ?? 0;
  let at = headBytes + (screen & 0x80 ? 3 * 2 ** ((screen & 7) + 1) : 0);
  let found = -1;
  for (let block = 0; block < maxBlocks && bytes[at] === extension; block++) {
    // The last one before the frame counts.
    if (bytes[at + 1] === graphicControl && bytes[at + 2] === controlBytes) found = at + 3;
    at = afterBlocks(bytes, at + 2);
  }
  return found;
}

/** Past sub-blocks, each behind its length, up to one of length 0. */
function afterBlocks(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let size = bytes[at] ?? 0; size !== 0; size = bytes[at] ?? 0) at += 1 + size;
  return at + 1;
}
