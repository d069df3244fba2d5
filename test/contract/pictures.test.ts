/**
 * Pictures of every kind that is read, decoded here and resized by the real engine, against torchvision's Resize(256,
 * antialias) → CenterCrop(224) → ToTensor → Normalize on PIL (test/models/image_bar.py).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultImage } from "../../src/archive/model-config.js";
import { type Channel, type CompletionSink, OutputFormat, type TensorOut } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/native.js";
import { PictureDecoder } from "../../src/handlers/picture.js";
import { specOf } from "./specs.js";

const folder = join(import.meta.dirname, "../fixtures/images/bar");
const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as Readonly<
  Record<string, { readonly small: readonly number[] }>
>;
const { mean, std, crop } = defaultImage;
/** Of 255, before normalising. */
const maxMeanDifference = 0.5;
const maxDifference = 3;

const decoder = new PictureDecoder({ maxImagePixels: 1 << 22, maxRequestSize: 1 << 20, decodeParallelism: 1 });
const engine = openEngine({ cores: 2, loadParallelism: 1, latencyBuckets: [1], maxDecodedBytes: 1 << 20 });
let channel: Channel;
let finished: (answer: {
  readonly code: number;
  readonly body: ArrayBuffer;
  readonly tensors: readonly TensorOut[];
}) => void;
const sink: CompletionSink = (_cookie, code, _model, body, tensors = []) =>
  finished({ code, body: body as ArrayBuffer, tensors });

beforeAll(async () => {
  const image = { name: "image_classifier", topK: 5, image: defaultImage } as const;
  const artifact = join(folder, "small.pt");
  const signature = { declared: false, inputs: [], outputs: [] };
  await engine.load(specOf("echo", { name: "small", artifact, handler: image, signature, batchSize: 1 }), "load");
  engine.publish("load");
  channel = engine.openChannel(() => channel.drain(sink));
}, 60_000);
afterAll(() => channel.close());

/** Scores, and the picture as the network got it: planes of numbers from 0 to 255. */
async function run(file: string): Promise<{ readonly scores: Float32Array; readonly planes: Float32Array }> {
  const { data, width, height, channels } = await decoder.decode(readFileSync(join(folder, file)));
  const answer = await new Promise<Parameters<typeof finished>[0]>((resolve) => {
    finished = resolve;
    const id = channel.nameId("small");
    const sent = channel.inferImage(1, id, "", data, width, height, channels, OutputFormat.tensors, 0);
    expect(sent, channel.lastError()).toBeGreaterThanOrEqual(0);
    channel.flush(sink);
  });
  expect(answer.code).toBe(0);
  const [scores, planes] = answer.tensors.map(
    ({ offset, bytes }) => new Float32Array(answer.body.slice(offset, offset + bytes)),
  );
  const plane = crop * crop;
  return {
    scores: scores!,
    planes: planes!.map((value, at) => {
      const channelOf = Math.floor(at / plane);
      return 255 * (value * std[channelOf]! + mean[channelOf]!);
    }),
  };
}

describe("pictures become torchvision's numbers", () => {
  test("and there are enough of them, of every kind", () => {
    const sources = readdirSync(folder).filter((each) => /(?<!golden)\.(jpg|png|webp|gif)$/.test(each));
    expect(Object.keys(index).sort()).toEqual(sources.sort());
    expect(sources.length).toBeGreaterThanOrEqual(40);
  });

  test.each(Object.entries(index))("%s", async (name, { small }) => {
    const { scores, planes } = await run(name);
    const golden = sharp(readFileSync(join(folder, name.replace(/\.\w+$/, ".golden.webp"))))
      .removeAlpha()
      .toColourspace("srgb");
    const want = await golden.raw({ depth: "uchar" }).toBuffer();
    expect([want.length, planes.length]).toEqual([crop * crop * 3, crop * crop * 3]);
    let [sum, worst] = [0, 0];
    want.forEach((value, at) => {
      const difference = Math.abs(value - planes[(at % 3) * crop * crop + Math.floor(at / 3)]!);
      sum += difference;
      worst = Math.max(worst, difference);
    });
    expect(sum / want.length).toBeLessThanOrEqual(maxMeanDifference);
    expect(worst).toBeLessThanOrEqual(maxDifference);
    const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
    expect(best.slice(0, 5)).toEqual(small.slice(0, 5));
  });
});
