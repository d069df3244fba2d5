/** Writes PNG files (ISO/IEC 15948) of 8-bit RGB without filters: enough for drawings. Compressed on libuv's pool. */

import { promisify } from "node:util";
import { crc32, deflate } from "node:zlib";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const rgbChannels = 3;

const compress = promisify<Uint8Array, { readonly level: number }, Buffer>(deflate);

/** `rgb` holds width × height × 3 bytes, row by row. */
export async function encodePng(rgb: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const stride = width * rgbChannels;
  // Each row starts with the number of its filter: 0, none.
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) rows.set(rgb.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // bits per sample, colour type RGB
  const pixels = await compress(rows, { level: 6 });
  return Buffer.concat([Buffer.from(signature), chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND")]);
}

function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const content = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(content.length + 8);
  framed.writeUInt32BE(data.length, 0);
  content.copy(framed, 4);
  framed.writeUInt32BE(crc32(content), content.length + 4);
  return framed;
}
