/**
 * Decodes pictures with sharp on libuv's pool: one at a time per pool thread, a bounded number at once, the rest waits.
 * The bytes decide the format. Values come out as PIL gives them without a colour profile (docs/pictures.md has the
 * table): alpha is dropped, 16 bits are divided by 257, of animations the first frame counts, EXIF rotation is applied
 * only where the model asks for it. Thread: one decoder per HTTP thread.
 */

import sharp, { type Sharp } from "sharp";
import { ServerError } from "../errors.js";
import { cmykToRgb } from "./cmyk.js";
import type { HandlerContext, Pictures, Pixels } from "./handler.js";
import { onScreen, stillOf } from "./gif.js";
import { broken, type PictureHead, readHead } from "./picture-head.js";

/** Pictures that may wait for a decode on one thread. */
const maxWaiting = 256;
/** Up to so many pixels libvips decodes a picture as a whole. */
const maxPixelsAtOnce = 4 * 2 ** 20;
/** libvips' names of the only loaders that may run. */
const loaders = ["Jpeg", "Png", "Webp", "Nsgif"].map((name) => `VipsForeignLoad${name}Buffer`);

export class PictureDecoder {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  private readonly context: HandlerContext;

  constructor(context: HandlerContext) {
    this.context = context;
    sharp.concurrency(1);
    sharp.cache(false);
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: loaders });
  }

  /** The header of a picture that may be decoded. Throws as readHead, and payload_too_large for too many pixels. */
  admit(bytes: Uint8Array): PictureHead {
    const head = readHead(bytes);
    const { width, height } = head;
    if (width * height <= this.context.maxImagePixels) return head;
    throw new ServerError(
      "payload_too_large",
      `The picture is ${width}×${height} pixels, more than the ${this.context.maxImagePixels} that --max-image-pixels allows.`,
    );
  }

  /** All of one request; together they may have as many pixels as one alone. A fault names the picture by its place. */
  async decodeAll(pictures: readonly Uint8Array[], exif = false): Promise<Pictures> {
    const heads = pictures.map((bytes, index) => inPlace(index, () => this.admit(bytes)));
    const pixels = heads.reduce((sum, { width, height }) => sum + width * height, 0);
    if (pixels > this.context.maxImagePixels) {
      throw new ServerError(
        "payload_too_large",
        `The pictures have ${pixels} pixels together, more than the ${this.context.maxImagePixels} that --max-image-pixels allows.`,
      );
    }
    const decoded: Pixels[] = [];
    const left = pictures.entries();
    // No more of one request wait than can be decoded, so that many of them are not too many for the others.
    const inTurn = async (): Promise<void> => {
      for (const [index, bytes] of left) {
        decoded[index] = await this.decode(bytes, exif).catch((error: unknown) => inPlace(index, () => rethrow(error)));
      }
    };
    await Promise.all(Array.from({ length: this.context.decodeParallelism }, inTurn));
    return { pictures: decoded };
  }

  /** `exif`: turn the picture as its EXIF orientation says. Throws what `admit` does, and bad_request for broken bytes. */
  async decode(bytes: Uint8Array, exif = false): Promise<Pixels> {
    const head = this.admit(bytes);
    await this.enter();
    try {
      return await this.run(bytes, head, exif);
    } finally {
      this.leave();
    }
  }

  private async run(bytes: Uint8Array, head: PictureHead, exif: boolean): Promise<Pixels> {
    try {
      const { data, info } = await this.picture(bytes, head, exif).toBuffer({ resolveWithObject: true });
      const { width, height, channels } = info;
      if (head.pixels === "cmyk") return { data: await cmykToRgb(data), width, height, channels: 3 };
      if (channels !== 1 && channels !== 3) throw broken(head.format, `it has ${channels} channels`);
      if (head.frame !== undefined && channels === 3) {
        return { data: onScreen(data, bytes, head.frame), width: head.width, height: head.height, channels };
      }
      return { data, width, height, channels };
    } catch (cause) {
      if (cause instanceof ServerError) throw cause;
      throw broken(head.format, firstLine(cause), cause);
    }
  }

  private picture(bytes: Uint8Array, head: PictureHead, autoOrient: boolean): Sharp {
    const picture = sharp(head.frame === undefined ? bytes : stillOf(bytes, head.frame), {
      limitInputPixels: this.context.maxImagePixels,
      failOn: "error",
      // Line by line costs a seventh more time; a whole large picture would cost its memory twice.
      sequentialRead: head.width * head.height > maxPixelsAtOnce,
      ignoreIcc: true,
      autoOrient,
    });
    switch (head.pixels) {
      case "cmyk":
        return picture.pipelineColourspace("cmyk").toColourspace("cmyk").raw();
      case "grey16":
      case "rgb16":
        // Floats are cut off, not rounded, on their way to bytes.
        return picture
          .removeAlpha()
          .pipelineColourspace(head.pixels)
          .linear(1 / 257, 0.5)
          .toColourspace(head.pixels)
          .raw({ depth: "uchar" });
      case "grey":
      case "rgb":
        return picture
          .removeAlpha()
          .toColourspace(head.pixels === "grey" ? "b-w" : "srgb")
          .raw({ depth: "uchar" });
    }
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

function rethrow(error: unknown): never {
  throw error;
}

/** "instance 3: …". */
function inPlace<T>(index: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw new ServerError(error.code, `instance ${index}: ${error.message}`, { cause: error.cause });
  }
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]?.replace(/\.$/, "") ?? "";
}
