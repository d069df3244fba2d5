import { readFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { PictureDecoder } from "../../../src/handlers/picture.js";

/** Made by test/models/picture_goldens.py with PIL. */
interface Golden {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pixels: string;
  readonly tolerance: number;
}

const path = new URL("../../fixtures/images/pictures.json", import.meta.url);
const goldens = JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, Golden>>;
const decoder = new PictureDecoder({ maxImagePixels: 100, maxRequestSize: 1 << 20, decodeParallelism: 1 });
const fileOf = (name: string): Buffer => Buffer.from(goldens[name]?.file ?? "", "base64");

describe("pictures have PIL's pixels", () => {
  test.each(Object.entries(goldens))("%s", async (name, golden) => {
    const pixels = await decoder.decode(fileOf(name), name === "jpeg exif");
    expect(pixels).toMatchObject({ width: golden.width, height: golden.height, channels: golden.channels });
    const want = Buffer.from(golden.pixels, "hex");
    expect(pixels.data.length).toBe(want.length);
    const worst = want.reduce((most, value, at) => Math.max(most, Math.abs(value - (pixels.data[at] ?? 999))), 0);
    expect(worst).toBeLessThanOrEqual(golden.tolerance);
  });
});

test("stray bytes between a JPEG's segments are passed over, as libjpeg and PIL do", async () => {
  const clean = fileOf("jpeg 420");
  const frame = clean.indexOf(Buffer.from([0xff, 0xc0]));
  const stray = Buffer.from([0, 7, 0xff, 0, 0xd9, 0xff, 0xff]);
  const dirty = Buffer.concat([clean.subarray(0, frame), stray, clean.subarray(frame)]);
  expect(await decoder.decode(dirty)).toEqual(await decoder.decode(clean));
});

describe("pictures that are refused", () => {
  const size = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: "red" } })
      .png()
      .toBuffer();

  test("over the pixel limit, before anything is decoded", async () => {
    expect(await decoder.decode(await size(10, 10))).toMatchObject({ width: 10 });
    await expect(decoder.decode(await size(101, 1))).rejects.toThrow("--max-image-pixels");
    const claims = Buffer.from(fileOf("png rgb"));
    claims.writeUInt32BE(60_000, 16);
    await expect(decoder.decode(claims)).rejects.toMatchObject({ code: "payload_too_large" });
  });

  test.each(Object.keys(goldens))("cut in half: %s", async (name) => {
    const half = fileOf(name);
    await expect(decoder.decode(half.subarray(0, half.length / 2))).rejects.toMatchObject({ code: "bad_request" });
  });

  test("of several, those that are broken by their place, and all over the limit together", async () => {
    const small = await size(7, 7);
    expect(await decoder.decodeAll([small, small])).toMatchObject({ pictures: [{ width: 7 }, { width: 7 }] });
    await expect(decoder.decodeAll([small, small, small])).rejects.toThrow("147 pixels together, more than the 100");
    await expect(decoder.decodeAll([small, Buffer.from("II*\0--------------")])).rejects.toThrow(/^instance 1: /);
    const tiny = await size(2, 2);
    const torn = fileOf("png rgb").subarray(0, fileOf("png rgb").length - 20);
    await expect(decoder.decodeAll([tiny, torn])).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(/^instance 1: /) as string,
    });
  });

  test("of another kind or absent", async () => {
    await expect(decoder.decode(Buffer.from("II*\0--------------"))).rejects.toMatchObject({
      code: "unsupported_media_type",
      message: expect.stringContaining("TIFF") as string,
    });
    await expect(decoder.decode(new Uint8Array())).rejects.toThrow("empty");
  });
});

test("pictures wait their turn", async () => {
  const png = fileOf("png rgba");
  const all = await Promise.all(Array.from({ length: 20 }, () => decoder.decode(png)));
  expect(all.every((each) => each.data.length === 11 * 7 * 3)).toBe(true);
});
