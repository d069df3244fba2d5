import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { PictureDecoder, sniff } from "../../../src/handlers/picture.js";

const decoder = new PictureDecoder({ maxImagePixels: 100, maxRequestSize: 1 << 20, decodeParallelism: 1 });
const raw = { width: 2, height: 2, channels: 4 } as const;
// Red, green, blue and grey, half transparent.
const rgba = Buffer.from([255, 0, 0, 128, 0, 255, 0, 128, 0, 0, 255, 128, 9, 9, 9, 128]);
const rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];

describe("pictures", () => {
  test("lose their alpha without being blended", async () => {
    const png = await sharp(rgba, { raw }).png().toBuffer();
    const pixels = await decoder.decode(png, 3);
    expect({ ...pixels, data: Array.from(pixels.data) }).toEqual({ width: 2, height: 2, channels: 3, data: rgb });
    const webp = await sharp(rgba, { raw }).webp({ lossless: true, exact: true }).toBuffer();
    expect(Array.from((await decoder.decode(webp, 3)).data)).toEqual(rgb);
  });

  test("grey becomes three equal channels, or stays one", async () => {
    const png = await sharp(Buffer.from([0, 50, 100, 255]), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toBuffer();
    expect(Array.from((await decoder.decode(png, 3)).data)).toEqual([
      0, 0, 0, 50, 50, 50, 100, 100, 100, 255, 255, 255,
    ]);
    expect(Array.from((await decoder.decode(png, 1)).data)).toEqual([0, 50, 100, 255]);
  });

  test("are not rotated by EXIF", async () => {
    const jpeg = await sharp({ create: { width: 4, height: 2, channels: 3, background: "red" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect(await decoder.decode(jpeg, 3)).toMatchObject({ width: 4, height: 2 });
  });

  test("over the pixel limit, broken, of another kind or absent are errors", async () => {
    const size = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 3, background: "red" } })
        .png()
        .toBuffer();
    expect(await decoder.decode(await size(10, 10), 3)).toMatchObject({ width: 10 });
    await expect(decoder.decode(await size(101, 1), 3)).rejects.toThrow("--max-image-pixels");
    await expect(decoder.decode((await size(10, 10)).subarray(0, 60), 3)).rejects.toMatchObject({
      code: "bad_request",
    });
    await expect(decoder.decode(Buffer.from("GIF89a-------"), 3)).rejects.toMatchObject({
      code: "unsupported_media_type",
    });
    await expect(decoder.decode(new Uint8Array(), 3)).rejects.toThrow("empty");
  });

  test("wait their turn", async () => {
    const png = await sharp(rgba, { raw }).png().toBuffer();
    const all = await Promise.all(Array.from({ length: 20 }, () => decoder.decode(png, 3)));
    expect(all.every((each) => each.data.length === 12)).toBe(true);
  });
});

test("the magic decides", () => {
  expect(sniff(Buffer.from([0xff, 0xd8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]))).toBe("JPEG");
  expect(sniff(Buffer.from("RIFF0000WEBPVP8 "))).toBe("WebP");
  expect(sniff(Buffer.from("RIFF0000WAVEfmt "))).toBeUndefined();
});
