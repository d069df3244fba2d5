import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readHead, sniff } from "../../../src/handlers/picture-head.js";

const path = new URL("../../fixtures/images/pictures.json", import.meta.url);
const goldens = JSON.parse(readFileSync(path, "utf8")) as Readonly<
  Record<string, { readonly file: string; readonly width: number; readonly height: number }>
>;
const bytesOf = (name: string): Buffer => Buffer.from(goldens[name]?.file ?? "", "base64");

describe("a picture's header", () => {
  test.each([
    ["jpeg 420", "JPEG", "rgb"],
    ["jpeg grey", "JPEG", "grey"],
    ["jpeg cmyk", "JPEG", "cmyk"],
    ["png palette", "PNG", "rgb"],
    ["png grey alpha", "PNG", "grey"],
    ["png grey 16", "PNG", "grey16"],
    ["png rgb 16", "PNG", "rgb16"],
    ["webp lossless", "WebP", "rgb"],
    ["webp lossy", "WebP", "rgb"],
    ["webp alpha", "WebP", "rgb"],
    ["gif first frame", "GIF", "rgb"],
  ])("%s", (name, format, pixels) => {
    expect(readHead(bytesOf(name))).toMatchObject({ format, width: 11, height: 7, pixels });
  });

  test("cut anywhere is broken or still right, never an exception of another kind", () => {
    for (const [name, { width, height }] of Object.entries(goldens)) {
      const whole = bytesOf(name);
      for (let length = 0; length < Math.min(whole.length, 700); length++) {
        try {
          expect(readHead(whole.subarray(0, length))).toMatchObject(
            name === "jpeg exif" ? { width: height, height: width } : { width, height },
          );
        } catch (error) {
          expect((error as { code: string }).code, `${name}, ${length} bytes`).toMatch(
            /^(bad_request|unsupported_media_type)$/,
          );
        }
      }
    }
  });

  test("of 12 bits a sample, or without sides", () => {
    const deep = Buffer.from(bytesOf("jpeg 444"));
    deep[deep.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
    expect(() => readHead(deep)).toThrow("12 bits");
    const flat = Buffer.from(bytesOf("png rgb"));
    flat.writeUInt32BE(0, 20);
    expect(() => readHead(flat)).toThrow("no width or height");
  });
});

test("the magic decides", () => {
  expect(sniff(Buffer.from([0xff, 0xd8, 0xff, 0]))).toBe("JPEG");
  expect(sniff(Buffer.from("RIFF0000WEBPVP8 "))).toBe("WebP");
  expect(sniff(Buffer.from("RIFF0000WAVEfmt "))).toBeUndefined();
  expect(() => readHead(Buffer.from("<svg xmlns="))).toThrow("SVG");
});
