import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openModel } from "../../../src/archive/open.js";
import { buildZip, torchScript, type ZipEntry } from "./zip-builder.js";

const root = mkdtempSync(join(tmpdir(), "sconce-open-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const digits = join(import.meta.dirname, "../../../examples/digits/digits.mar");
const script = buildZip(torchScript());
const compiled = buildZip([
  { name: "m/archive_format", data: "pt2" },
  { name: "m/data/aotinductor/model/m.so", data: "ELF" },
]);
let serial = 0;

/** Files in a new folder; resolves to the path of the first. */
function lay(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = join(root, `case-${serial++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return join(folder, Object.keys(files)[0]!);
}

function open(path: string, name?: string) {
  const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024 };
  return openModel({ path, ...(name === undefined ? {} : { name }) }, { cache: join(root, "cache"), defaults });
}

function mar(model: unknown, more: readonly ZipEntry[] = [{ name: "m.pt", data: script }]): string {
  return lay({ "a.mar": buildZip([{ name: "MAR-INF/MANIFEST.json", data: JSON.stringify({ model }) }, ...more]) });
}

const inputs = "sconce:\n  inputs:\n    - { name: x, dtype: float32, shape: [4] }\n";

describe("openModel", () => {
  test("the example archive", async () => {
    const { spec, warnings } = await open(digits);
    expect(warnings).toEqual([]);
    expect(spec).toMatchObject({
      name: "digits",
      version: "1.0",
      kind: "torchscript",
      responseTimeoutMs: 60_000,
      signature: { declared: true, inputs: [{ name: "image", shape: [1, 8, 8] }], outputs: ["logits"] },
      handler: { name: "image_classifier", topK: 5, image: { resize: 8, crop: 8, channels: 1 } },
    });
    expect(spec.handler.labels?.["7"]).toBe("seven");
    expect(spec.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test("what the operator set for a version counts where the model says nothing", async () => {
    const path = mar({ modelName: "m", modelVersion: "2.0", serializedFile: "m.pt" }, [
      { name: "m.pt", data: script },
      { name: "model-config.yaml", data: "batchSize: 4\n" },
    ]);
    const settings = { m: { "2.0": { batchSize: 8, minWorkers: 3, maxBatchDelay: 20, responseTimeout: 5 } } };
    const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024, instances: 2 };
    const opened = (more: object) => openModel({ path }, { cache: join(root, "cache"), defaults, ...more });
    expect((await opened({ settings })).spec).toMatchObject({
      instances: 3,
      maxBatchDelayMs: 20,
      responseTimeoutMs: 5000,
    });
    expect((await opened({})).spec).toMatchObject({ instances: 2, maxBatchDelayMs: 0, responseTimeoutMs: 120_000 });
    const limited = { maxWorkers: 4, startupTimeoutMs: 600_000 };
    const { spec } = await opened({ defaults: { ...defaults, ...limited } });
    expect(spec).toMatchObject({ instances: 2, ...limited });
    const alone = { m: { "2.0": { maxWorkers: 3, startupTimeout: 9 } } };
    const { jobQueueSize, responseTimeoutMs, maxInstances } = defaults;
    const found = await opened({ settings: alone, defaults: { jobQueueSize, responseTimeoutMs, maxInstances } });
    expect(found.spec).toMatchObject({ instances: 1, maxWorkers: 3, startupTimeoutMs: 9000 });
  });

  test("a Python model says what of its config has no effect, and is refused where that could not work", async () => {
    const python = (yaml: string) =>
      open(
        mar({ modelName: "m", handler: "h.py" }, [
          { name: "h.py", data: "" },
          { name: "model-config.yaml", data: yaml },
        ]),
      );
    const { spec, warnings } = await python(
      "useJobTicket: true\nclientTimeoutInMills: 500\nhandler: { mine: 1 }\nother: 2\n",
    );
    expect(warnings).toEqual([
      expect.stringMatching(/a\.mar: model-config\.yaml: useJobTicket has no effect in this version$/),
    ]);
    expect(spec).toMatchObject({ clientTimeoutMs: 500 });
    await expect(python("sequenceBatching: true\n")).rejects.toThrow(/a\.mar: .* asks for sequenceBatching/);
    await expect(python("torchrun: { nproc-per-node: 4 }\n")).rejects.toThrow(/a\.mar: .* 4 processes of torchrun/);
  });

  test("the same content is unpacked once, whatever its name", async () => {
    const copy = join(root, "copy.mar");
    cpSync(digits, copy);
    const [a, b] = await Promise.all([open(digits), open(copy, "other")]);
    expect(a.spec.artifact).toBe(b.spec.artifact);
    expect(b.spec.name).toBe("other");
    expect(readdirSync(join(root, "cache", "incoming"))).toEqual([]);
  });

  test("a bare file, undeclared", async () => {
    const { spec } = await open(lay({ "iris.pt": script }));
    expect(spec).toMatchObject({
      name: "iris",
      version: "1.0",
      signature: { declared: false, inputs: [] },
      handler: { name: "base_handler" },
      executor: "auto",
      instances: 0,
    });
    expect(spec.batchSize).toBeUndefined();
  });

  test("a bare file with its yaml beside it", async () => {
    const { spec } = await open(lay({ "iris.pt": script, "iris.yaml": `batchSize: 4\n${inputs}` }));
    expect(spec).toMatchObject({ batchSize: 4, signature: { declared: true, inputs: [{ name: "x", shape: [4] }] } });
  });

  test("a folder without MAR-INF is named after itself", async () => {
    const path = dirname(lay({ "weights.pt": script, "model-config.yaml": inputs, "w.npy": "x" }));
    const { spec } = await open(path);
    expect(spec.name).toMatch(/^case-\d+$/);
    expect(spec.signature.declared).toBe(true);
  });

  test("a compiled package with declared inputs", async () => {
    const { spec } = await open(lay({ "m.pt2": compiled, "m.yaml": inputs }));
    expect(spec.kind).toBe("aotinductor");
  });

  test("a compiled package whose source says that it was made for other inputs", async () => {
    const says = '"input_handles[0]: unmatched dim value at 1, "\n << "expected: 5, " << "but got: "';
    const source = { name: "m/data/aotinductor/model/m.wrapper.cpp", data: says };
    const other = buildZip([{ name: "m/data/aotinductor/model/m.so", data: "ELF" }, source]);
    await expect(open(lay({ "m.pt2": other, "m.yaml": inputs }))).rejects.toThrow(/was compiled for size 5 .*\[4\]/);
  });

  test("an image section makes a bare file an image classifier, and declares its input", async () => {
    const { spec } = await open(lay({ "m.pt": script, "m.yaml": "sconce: { image: { crop: 32, resize: 32 } }" }));
    expect(spec.handler.name).toBe("image_classifier");
    expect(spec.signature.inputs).toEqual([{ name: "image", dtype: "float32", shape: [3, 32, 32], optional: false }]);
  });

  test("a warm-up sample is found beside the config", async () => {
    const { spec } = await open(lay({ "m.pt": script, "m.yaml": `${inputs}  warmup: w.npy\n`, "w.npy": "x" }));
    expect(spec.warmup).toMatch(/w\.npy$/);
  });
});

describe("refused, with the file and the reason", () => {
  test.each<[string, () => string, RegExp]>([
    ["no file", () => join(root, "missing.pt"), /missing\.pt: no such file or folder/],
    ["an empty file", () => lay({ "e.pt": "" }), /e\.pt: the file is empty/],
    ["an empty archive", () => lay({ "e.mar": "" }), /e\.mar: the file is empty/],
    ["text", () => lay({ "t.pt": "hello" }), /is not a model/],
    [
      "text in an archive",
      () => mar({ serializedFile: "m.pt" }, [{ name: "m.pt", data: "hello" }]),
      /^[^:]*a\.mar: m\.pt: is not a model/,
    ],
    ["a pickle", () => lay({ "p.pt": Buffer.from("\x80\x02junk", "latin1") }), /bare pickle/],
    ["a Git LFS pointer", () => lay({ "l.pt": "version https://git-lfs.github.com/spec/v1" }), /git lfs pull/],
    ["a web page", () => lay({ "w.pt": "<!DOCTYPE html>" }), /web page/],
    ["half a file", () => lay({ "h.pt": script.subarray(0, script.length / 2) }), /cut short/],
    ["a checkpoint", () => lay({ "c.pt": buildZip([{ name: "c/data.pkl", data: "x" }]) }), /torch\.save checkpoint/],
    [
      "a foreign zip",
      () => lay({ "z.pt": buildZip([{ name: "word/document.xml", data: "x" }]) }),
      /neither TorchScript nor/,
    ],
    [
      "an exported, uncompiled package",
      () => lay({ "x.pt2": buildZip([{ name: "x/archive_format", data: "pt2" }]) }),
      /not compiled/,
    ],
    ["a compiled package without inputs", () => lay({ "m.pt2": compiled }), /must be declared/],
    ["ONNX", () => lay({ "m.onnx": "x" }), /ONNX models are not read/],
    ["an unknown ending", () => lay({ "m.xyz": "x" }), /expected a \.mar or \.tar\.gz archive, a folder/],
    ["a tar archive that is none", () => lay({ "m.tar.gz": "hello, world" }), /not a gzip file/],
    ["a name that is none", () => lay({ "my model.pt": script }), /cannot be a model's name.*name=path/],
    ["a folder without a model", () => dirname(lay({ "a.txt": "x" })), /holds no \.pt or \.pt2 file/],
    [
      "a folder with two models",
      () => dirname(lay({ "a.pt": script, "b.pt": script })),
      /several model files \(a\.pt, b\.pt\)/,
    ],
    ["an archive without a model", () => mar({ modelName: "m" }, []), /holds no \.pt/],
    ["a file that is not there", () => mar({ serializedFile: "x.pt" }), /names "x\.pt", and there is no such file/],
    ["a config outside", () => mar({ serializedFile: "m.pt", configFile: "../../etc/passwd" }), /lies outside/],
    ["a Python handler", () => mar({ serializedFile: "m.pt", handler: "handler.py:go" }), /holds no file handler\.py/],
    [
      "a version that is none",
      () => mar({ serializedFile: "m.pt", modelVersion: "1/2" }),
      /cannot be a model's version/,
    ],
    [
      "an image input that does not fit",
      () => lay({ "m.pt": script, "m.yaml": `${inputs}  image: {}\n` }),
      /declares something else/,
    ],
    [
      "a threshold of another handler",
      () => lay({ "m.pt": script, "m.yaml": "sconce: { threshold: 0.1 }\n" }),
      /threshold is for object_detector/,
    ],
    [
      "a topK of another handler",
      () => lay({ "m.pt": script, "m.yaml": "handler: image_segmenter\nsconce: { topK: 3 }\n" }),
      /topK is for image_classifier and text_classifier, and the handler is image_segmenter/,
    ],
    [
      "a warm-up that is missing",
      () => lay({ "m.pt": script, "m.yaml": `${inputs}  warmup: w.npy\n` }),
      /sconce\.warmup.*no such file/,
    ],
    [
      "a damaged config",
      () =>
        mar({ serializedFile: "m.pt" }, [
          { name: "m.pt", data: script },
          { name: "model-config.yaml", data: "a: [" },
        ]),
      /a\.mar: model-config\.yaml/,
    ],
    ["a climbing archive", () => lay({ "s.mar": buildZip([{ name: "../x" }]) }), /s\.mar: .*\.\./],
  ])("%s", async (_, make, words) => {
    await expect(open(make())).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(words) as string,
    });
  });

  test("a refused archive leaves nothing in the cache", async () => {
    const before = readdirSync(join(root, "cache", "models")).length;
    await expect(open(lay({ "s.mar": buildZip([{ name: "a", data: "x", crc: 1 }]) }))).rejects.toThrow(/CRC-32/);
    expect(readdirSync(join(root, "cache", "models"))).toHaveLength(before);
    expect(readdirSync(join(root, "cache", "incoming"))).toEqual([]);
  });
});
