import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modelSpec, startTestServer, type TestServer } from "./support.js";

let it: TestServer;
const handler = {
  name: "image_classifier",
  topK: 2,
  labels: { "0": "nought", "3": "three" },
  image: { resize: 2, crop: 2, channels: 1, bgr: false, interpolation: "bilinear", mean: [0], std: [1], exif: false },
} as const;
beforeAll(async () => {
  // The in-memory engine gives the pixels back as scores: the brightest pixel is the most probable class.
  it = await startTestServer([modelSpec("pictures", "echo.pt", { handler })]);
});
afterAll(async () => {
  await it.server.drain();
});

const pixels = Buffer.from([50, 0, 100, 255]);
const png = (): Promise<Buffer> =>
  sharp(pixels, { raw: { width: 2, height: 2, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
const send = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(`${it.base}/predictions/pictures`, { method: "PUT", body, headers });

test("labels with probabilities, whatever the content type says", async () => {
  const body = new Uint8Array(await png());
  for (const type of ["image/png", "application/octet-stream", "application/json", "text/plain", ""]) {
    const answer = await send(body, type === "" ? {} : { "content-type": type });
    expect(answer.status, type).toBe(200);
    expect(answer.headers.get("x-sconce-model")).toBe("pictures/1.0");
    const result = (await answer.json()) as Record<string, number>;
    expect(Object.keys(result).sort()).toEqual(["2", "three"]);
    expect(result["three"]).toBeGreaterThan(result["2"] ?? 1);
  }
});

test("base64 in JSON", async () => {
  const answer = await send(JSON.stringify({ data: (await png()).toString("base64") }), {
    "content-type": "application/json",
  });
  expect(Object.keys((await answer.json()) as object)).toContain("three");
});

test("what is no picture, not as JSON, or too large", async () => {
  expect((await send("hello, no picture")).status).toBe(415);
  expect((await send("")).status).toBe(400);
  expect((await send(new Uint8Array(await png()), { accept: "application/x-npy" })).status).toBe(406);
  const large = await sharp({ create: { width: 2000, height: 2000, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  expect((await send(new Uint8Array(large))).status).toBe(413);
});
