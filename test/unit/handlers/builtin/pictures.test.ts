import sharp from "sharp";
import { expect, test } from "vitest";
import type { HandlerRequest, OutputTensor } from "../../../../src/handlers/handler.js";
import { PictureDecoder } from "../../../../src/handlers/picture.js";
import { pictureHandler } from "../../../../src/handlers/builtin/pictures.js";

const context = { maxImagePixels: 100, maxRequestSize: 1 << 20, decodeParallelism: 1 };
const handler = pictureHandler(
  "test",
  { name: "test", topK: 1, maxPictures: 2 },
  context,
  new PictureDecoder(context),
  (outputs) => JSON.stringify(outputs.map(({ data }) => data[0])),
);
const picture = await sharp({ create: { width: 3, height: 2, channels: 3, background: "red" } })
  .png()
  .toBuffer();
const base64 = picture.toString("base64");
const asked = (body: string | Uint8Array, explains = false): HandlerRequest => ({
  ...{ id: "", contentType: "", accept: "", parts: undefined, headers: {}, parameters: {}, urlPath: "" },
  ...{ body: Buffer.from(body), explains, named: false, onAbort: () => undefined, state: undefined },
});
const outputs = [1, 2, 3, 4].map((value): OutputTensor => ({ dtype: "uint8", shape: [1], data: Uint8Array.of(value) }));

test("one picture is answered alone", async () => {
  const request = asked(picture);
  expect(await handler.pre?.(request)).toMatchObject({ width: 3, height: 2 });
  expect(await handler.post?.(outputs.slice(0, 2), request)).toBe("[1,2]");
});

test("several, each with its share of the outputs", async () => {
  const request = asked(JSON.stringify({ instances: [base64, { b64: base64 }] }));
  expect(await handler.pre?.(request)).toMatchObject({ pictures: [{ width: 3 }, { width: 3 }] });
  expect(JSON.parse((await handler.post?.(outputs, request)) as string)).toEqual({
    predictions: [
      [1, 2],
      [3, 4],
    ],
  });
  const list = asked(JSON.stringify([base64]));
  await handler.pre?.(list);
  expect(JSON.parse((await handler.post?.(outputs.slice(0, 1), list)) as string)).toEqual([[1]]);
});

test("explanations are of one picture", async () => {
  await expect(handler.pre?.(asked(JSON.stringify([base64]), true))).rejects.toThrow("One picture at a time");
  expect(await handler.pre?.(asked(picture, true))).toMatchObject({ width: 3 });
});
