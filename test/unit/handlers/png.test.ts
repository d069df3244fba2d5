import sharp from "sharp";
import { expect, test } from "vitest";
import { encodePng } from "../../../src/handlers/png.js";

test.each([
  [1, 1],
  [3, 2],
  [257, 65],
])("%i by %i pixels come back from another reader", async (width, height) => {
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 31) % 256);
  const png = await encodePng(rgb, width, height);
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width, height, channels: 3 });
  expect(new Uint8Array(data)).toEqual(rgb);
});
