/**
 * What a picture says of itself before anything is decoded: format, size, kind of pixels. Reads a few header bytes of
 * JPEG, PNG, WebP and GIF; never more than the bytes given, whatever lengths they claim. Pure.
 */

import { ServerError } from "../errors.js";
import { firstFrame, type GifFrame } from "./gif.js";

export type PictureFormat = "JPEG" | "PNG" | "WebP" | "GIF";

export interface PictureHead {
  readonly format: PictureFormat;
  readonly width: number;
  readonly height: number;
  /** What the file holds, alpha left out. */
  readonly pixels: "grey" | "rgb" | "cmyk" | "grey16" | "rgb16";
  /** Of a GIF: what of the screen its first frame covers. */
  readonly frame?: GifFrame;
}

/** Segments before a JPEG's frame header; cameras write some dozens. */
const maxSegments = 4096;

/** Throws bad_request for nothing or a broken header, unsupported_media_type for what is none of the four formats. */
export function readHead(bytes: Uint8Array): PictureHead {
  if (bytes.length === 0) throw new ServerError("bad_request", `The body is empty; ${readable} was expected.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = sniff(bytes);
  if (format === undefined) throw unknownFormat(bytes);
  const head = readers[format](bytes, view);
  if (head === undefined) throw broken(format, "its header is cut off or broken");
  if (head.width === 0 || head.height === 0) throw broken(format, "its header gives no width or height");
  return { format, ...head };
}

/** By magic bytes; a name or a content type says nothing. */
export function sniff(bytes: Uint8Array): PictureFormat | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "JPEG";
  if (bytes[0] === 0x89 && hasText(bytes, 1, "PNG\r\n\x1a\n")) return "PNG";
  if (hasText(bytes, 0, "RIFF") && hasText(bytes, 8, "WEBP")) return "WebP";
  if (hasText(bytes, 0, "GIF87a") || hasText(bytes, 0, "GIF89a")) return "GIF";
  return undefined;
}

export function broken(format: PictureFormat, why: string, cause?: unknown): ServerError {
  return new ServerError("bad_request", `The ${format} picture does not decode: ${why}.`, { cause });
}

const readable = "a JPEG, PNG, WebP or GIF picture";

/** Formats that people send by mistake, by how they begin. */
const others: readonly (readonly [name: string, at: number, magic: string])[] = [
  ["a PDF document", 0, "%PDF"],
  ["an SVG drawing or other XML", 0, "<?xml"],
  ["an SVG drawing", 0, "<svg"],
  ["a TIFF picture", 0, "II*\0"],
  ["a TIFF picture", 0, "MM\0*"],
  ["a BMP picture", 0, "BM"],
  ["a HEIC or AVIF picture", 4, "ftyp"],
  ["a zip archive", 0, "PK\x03\x04"],
  ["a multipart body without its content type", 0, "--"],
];

function unknownFormat(bytes: Uint8Array): ServerError {
  const known = others.find(([, at, magic]) => hasText(bytes, at, magic));
  const looks = known === undefined ? "is not a picture this server reads" : `looks like ${known[0]}`;
  return new ServerError("unsupported_media_type", `The body ${looks}; ${readable} was expected.`);
}

function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

type Facts = Omit<PictureHead, "format">;
type Reader = (bytes: Uint8Array, view: DataView) => Facts | undefined;

/** The frame header (SOF) behind any number of other segments. */
function jpegFacts(bytes: Uint8Array, view: DataView): Facts | undefined {
  let at = 2;
  for (let segment = 0; segment < maxSegments; segment++) {
    at = nextMarker(bytes, at);
    if (at + 9 >= bytes.length) return undefined;
    const marker = bytes[at + 1] ?? 0;
    if (isFrame(marker)) return frameFacts(bytes, view, at);
    if (marker === 0xda || marker === 0xd9) return undefined;
    at += standsAlone(marker) ? 2 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** Where 0xff stands in front of a marker. Cameras and editors leave stray bytes between segments; libjpeg passes over them. */
function nextMarker(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] !== 0xff || bytes[at + 1] === 0xff || bytes[at + 1] === 0)) at++;
  return at;
}

const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

function frameFacts(bytes: Uint8Array, view: DataView, at: number): Facts | undefined {
  if (at + 9 >= bytes.length) return undefined;
  const precision = bytes[at + 4];
  if (precision !== 8) throw broken("JPEG", `it has ${String(precision)} bits per sample, and only 8 are read`);
  const components = bytes[at + 9];
  const pixels = components === 1 ? "grey" : components === 4 ? "cmyk" : "rgb";
  return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), pixels };
}

function pngFacts(bytes: Uint8Array, view: DataView): Facts | undefined {
  if (bytes.length < 33 || !hasText(bytes, 12, "IHDR")) return undefined;
  const deep = bytes[24] === 16;
  const grey = bytes[25] === 0 || bytes[25] === 4;
  const pixels = grey ? (deep ? "grey16" : "grey") : deep ? "rgb16" : "rgb";
  return { width: view.getUint32(16), height: view.getUint32(20), pixels };
}

function webpFacts(bytes: Uint8Array, view: DataView): Facts | undefined {
  if (bytes.length < 30) return undefined;
  const pixels = "rgb";
  if (hasText(bytes, 12, "VP8X")) {
    const size = (at: number): number => 1 + view.getUint16(at, true) + 65_536 * view.getUint8(at + 2);
    return { width: size(24), height: size(27), pixels };
  }
  if (hasText(bytes, 12, "VP8L") && bytes[20] === 0x2f) {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff), pixels };
  }
  if (hasText(bytes, 12, "VP8 ") && hasText(bytes, 23, "\x9d\x01\x2a")) {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff, pixels };
  }
  return undefined;
}

function gifFacts(bytes: Uint8Array): Facts | undefined {
  const frame = firstFrame(bytes);
  return frame && { width: frame.width, height: frame.height, pixels: "rgb", frame };
}

const readers: Readonly<Record<PictureFormat, Reader>> = {
  JPEG: jpegFacts,
  PNG: pngFacts,
  WebP: webpFacts,
  GIF: gifFacts,
};
