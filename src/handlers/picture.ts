/**
 * Decodes pictures with sharp on libuv's pool: one at a time per pool thread, a bounded number at once, the rest waits.
 * The bytes decide the format. Alpha is dropped, grey is replicated to three channels, EXIF rotation is not applied
 * (torchvision's loaders, whose results users compare with, do not either). Thread: one decoder per HTTP thread.
 */

import sharp from "sharp";
import { ServerError } from "../errors.js";
import type { HandlerContext, Pixels } from "./handler.js";

type Format = "JPEG" | "PNG" | "WebP";

/** Pictures that may wait for a decode on one thread. */
const maxWaiting = 256;

export class PictureDecoder {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  private readonly context: HandlerContext;

  constructor(context: HandlerContext) {
    this.context = context;
    sharp.concurrency(1);
    sharp.cache(false);
  }

  /** Throws unsupported_media_type for other formats, payload_too_large for too many pixels, bad_request for broken bytes. */
  async decode(bytes: Uint8Array, channels: 1 | 3): Promise<Pixels> {
    const format = sniff(bytes);
    if (format === undefined) throw unknownFormat(bytes);
    await this.enter();
    try {
      return await this.run(bytes, channels, format);
    } finally {
      this.leave();
    }
  }

  private async run(bytes: Uint8Array, channels: 1 | 3, format: Format): Promise<Pixels> {
    const picture = sharp(bytes, { limitInputPixels: false, failOn: "error", sequentialRead: true });
    try {
      const { width, height } = await picture.metadata();
      this.checkSize(width, height);
      const plain =
        channels === 1
          ? picture.removeAlpha().greyscale().toColourspace("b-w")
          : picture.removeAlpha().toColourspace("srgb");
      const { data, info } = await plain.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
      return pixelsOf(data, info.width, info.height, info.channels, channels);
    } catch (cause) {
      if (cause instanceof ServerError) throw cause;
      throw new ServerError("bad_request", `The ${format} picture does not decode: ${firstLine(cause)}`, { cause });
    }
  }

  private checkSize(width: number, height: number): void {
    if (width * height <= this.context.maxImagePixels) return;
    throw new ServerError(
      "payload_too_large",
      `The picture is ${width}×${height} pixels, more than the ${this.context.maxImagePixels} that --max-image-pixels allows.`,
    );
  }

  private async enter(): Promise<void> {
    if (this.running < this.context.decodeParallelism) {
      this.running++;
      return;
    }
    if (this.waiting.length >= maxWaiting) throw new ServerError("queue_full", "Too many pictures wait to be decoded.");
    await new Promise<void>((go) => this.waiting.push(go));
  }

  /** Hands the place to the next in line. */
  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running--;
    else next();
  }
}

/** By magic bytes. */
export function sniff(bytes: Uint8Array): Format | undefined {
  if (bytes.length < 12) return undefined;
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "JPEG";
  if (ascii(bytes, 1, "PNG\r\n\x1a\n") && bytes[0] === 0x89) return "PNG";
  if (ascii(bytes, 0, "RIFF") && ascii(bytes, 8, "WEBP")) return "WebP";
  return undefined;
}

function ascii(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text.charCodeAt(index)) return false;
  return true;
}

function unknownFormat(bytes: Uint8Array): ServerError {
  if (bytes.length === 0)
    return new ServerError("bad_request", "The body is empty; a JPEG, PNG or WebP picture was expected.");
  return new ServerError(
    "unsupported_media_type",
    "The body is not a picture this server reads: JPEG, PNG and WebP are.",
  );
}

/** sharp may still hand out 1 or 4 channels; the model's transform wants exactly what it declares. */
function pixelsOf(data: Buffer, width: number, height: number, got: number, want: 1 | 3): Pixels {
  if (got === want) return { data, width, height, channels: want };
  const out = new Uint8Array(width * height * want);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < want; channel++) {
      out[pixel * want + channel] = data[pixel * got + (got < 3 ? 0 : channel)] ?? 0;
    }
  }
  return { data: out, width, height, channels: want };
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? "";
}
