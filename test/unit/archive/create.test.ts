import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createArchive, type CreateOptions } from "../../../src/archive/create.js";
import { filesBelow, sha256Of } from "../../../src/archive/digests.js";
import type { ArchiveFormat } from "../../../src/archive/pack.js";
import { extractArchive, unpack } from "../../../src/archive/unpack.js";
import { ServerError } from "../../../src/errors.js";

const fixtures = join(import.meta.dirname, "../../fixtures/archiver");
const root = mkdtempSync(join(tmpdir(), "sconce-create-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;

const inputs = join(root, "inputs");
mkdirSync(join(inputs, "assets/vocabulary"), { recursive: true });
mkdirSync(join(inputs, "assets/__pycache__"));
mkdirSync(join(inputs, "other"));
cpSync(join(fixtures, "folder/net.pt"), join(inputs, "net.pt"));
writeFileSync(join(inputs, "handler.py"), "def handle(data, context):\n    return data\n");
writeFileSync(join(inputs, "config.yaml"), "batchSize: 4\n");
writeFileSync(join(inputs, "assets/readme.txt"), "words\n");
writeFileSync(join(inputs, "assets/vocabulary/words.txt"), "one\n");
writeFileSync(join(inputs, "assets/__pycache__/x.pyc"), "x");
writeFileSync(join(inputs, "other/readme.txt"), "others\n");
writeFileSync(join(inputs, "long.txt"), "by a long name\n");
mkdirSync(join(root, "dangling"));
symlinkSync("nowhere", join(root, "dangling/link"));

function options(more: Partial<CreateOptions> = {}): CreateOptions {
  const exportPath = join(root, `out-${serial++}`);
  mkdirSync(exportPath);
  return {
    modelName: "net",
    version: "1.0",
    handler: "base_handler",
    serializedFile: join(inputs, "net.pt"),
    extraFiles: [],
    runtime: "python",
    exportPath,
    format: "default",
    force: false,
    archiver: "test",
    ...more,
  };
}

async function contents(path: string): Promise<Record<string, string>> {
  const into = join(root, `into-${serial++}`);
  mkdirSync(into);
  const folder = /\.(mar|gz)$/.test(path) ? await extractArchive(path, into) : path;
  const names = await filesBelow(folder);
  return Object.fromEntries(names.map((name) => [name, sha256Of(readFileSync(join(folder, name)))]));
}

describe("createArchive", () => {
  test.each<ArchiveFormat>(["default", "zip-store", "tgz", "no-archive"])("%s: sconce reads it", async (format) => {
    const extraFiles = [join(inputs, "assets"), join(inputs, "*.txt")];
    const configFile = join(inputs, "config.yaml");
    const { path, files } = await createArchive(options({ format, extraFiles, configFile }));
    const there = await contents(path);
    expect(Object.keys(there).sort()).toEqual([
      "MAR-INF/MANIFEST.json",
      ...(format === "no-archive" ? [] : ["MAR-INF/SHA256SUMS"]),
      "config.yaml",
      "long.txt",
      "net.pt",
      "readme.txt",
      "vocabulary/words.txt",
    ]);
    for (const { name, sha256 } of files) expect(there[name]).toBe(sha256);
    const opened = await unpack(path, { cache: join(root, "cache") });
    expect(opened.manifest).toMatchObject({ modelName: "net", configFile: "config.yaml", runtime: "python" });
  });

  test.each<ArchiveFormat>(["default", "tgz"])(
    "%s: the same input gives the same bytes, in any time zone",
    async (format) => {
      const zone = process.env["TZ"];
      const made = [];
      for (const TZ of ["UTC", "Asia/Tokyo"]) {
        process.env["TZ"] = TZ;
        made.push(readFileSync((await createArchive(options({ format }))).path));
      }
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
      expect(made[0]).toEqual(made[1]);
    },
  );

  test("a tar archive carries names of any length", async () => {
    const long = join(inputs, "deep");
    const name = `${"d".repeat(120)}/${"e".repeat(90)}/${"f".repeat(100)}.txt`;
    mkdirSync(join(long, name, ".."), { recursive: true });
    writeFileSync(join(long, name), "deep");
    const { path } = await createArchive(options({ format: "tgz", extraFiles: [long] }));
    expect(Object.keys(await contents(path))).toContain(name);
  });

  test("repacking what torch-model-archiver packed keeps every file but the manifest's words", async () => {
    const original = await contents(join(fixtures, "extras.mar"));
    const from = join(root, "extras");
    mkdirSync(from);
    await extractArchive(join(fixtures, "extras.mar"), from);
    rmSync(join(from, "MAR-INF"), { recursive: true });
    const serializedFile = join(from, "net.pt");
    const { path } = await createArchive(options({ modelName: "extras", serializedFile, extraFiles: [from] }));
    const again = await contents(path);
    const files = (all: Record<string, string>) => Object.entries(all).filter(([name]) => !name.startsWith("MAR-INF/"));
    expect(files(again)).toEqual(files(original));
  });

  test.each<[string, string, string]>([
    ["a file's name", "handler.py", "handler.py"],
    ["without its ending", "handler", "handler"],
    ["with a function", "handler:handle", "handler:handle"],
    ["with both", "handler.py:handle", "handler.py:handle"],
  ])("a handler by %s", async (_, word, manifest) => {
    const { path, files } = await createArchive(options({ handler: join(inputs, word) }));
    expect(files.map((file) => file.name)).toContain("handler.py");
    expect((await unpack(path, { cache: join(root, "cache") })).manifest.handler).toBe(manifest);
  });

  test("a file by two paths is one; the archive never holds itself; a pattern without a match is told", async () => {
    const given = options({ extraFiles: [`${inputs}/assets/../net.pt`, `${inputs}/*.none`], force: true });
    writeFileSync(join(given.exportPath, "net.mar"), "the one before");
    const extraFiles = [...given.extraFiles, `${given.exportPath}/./`];
    const { files, unmatched } = await createArchive({ ...given, extraFiles });
    expect(files.map((file) => file.name)).toEqual(["net.pt", "MAR-INF/MANIFEST.json"]);
    expect(unmatched).toEqual([`${inputs}/*.none`]);
  });

  test("a date only where one is given", async () => {
    const created = new Date("2026-03-04T05:06:07Z");
    const { path } = await createArchive(options({ created, format: "no-archive" }));
    const manifest = JSON.parse(readFileSync(join(path, "MAR-INF/MANIFEST.json"), "utf8")) as unknown;
    expect(manifest).toMatchObject({ createdOn: "04/03/2026 05:06:07", archiverVersion: "test" });
  });

  test.each<[string, Partial<CreateOptions>, RegExp]>([
    ["a name that is none", { modelName: "../x" }, /--model-name/],
    ["a version that is none", { version: "a/b" }, /--version/],
    ["a missing file", { serializedFile: join(inputs, "none.pt") }, /--serialized-file: there is no file/],
    ["a missing handler", { handler: "nobody" }, /--handler: there is no file nobody\.py$/],
    ["a handler misspelt", { handler: "image_clasifier" }, /image_clasifier\.py \(did you mean image_classifier\?\)/],
    [
      "a built-in's name with a function and no file",
      { handler: "image_classifier:f" },
      /no file image_classifier\.py/,
    ],
    ["a missing extra file", { extraFiles: [join(inputs, "none")] }, /--extra-files: there is no file or folder/],
    ["a link that leads nowhere", { extraFiles: [join(root, "dangling")] }, /dangling\/link leads to nothing/],
    [
      "two files under one name",
      { extraFiles: [join(inputs, "assets"), join(inputs, "other")] },
      /two files would be called readme\.txt/,
    ],
  ])("refuses %s, and leaves nothing", async (_, more, words) => {
    const given = options(more);
    const error = await createArchive(given).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ code: "bad_request", message: expect.stringMatching(words) as string });
    expect(readdirSync(given.exportPath)).toEqual([]);
  });

  test.each<ArchiveFormat>(["default", "no-archive"])("%s: what is there stays, unless forced", async (format) => {
    const given = options({ format });
    const { path } = await createArchive(given);
    await expect(createArchive(given)).rejects.toThrow(/there already; --force/);
    await createArchive({ ...given, version: "2.0", force: true });
    expect((await unpack(path, { cache: join(root, "cache") })).manifest.modelVersion).toBe("2.0");
    expect(readdirSync(given.exportPath)).toHaveLength(1);
  });

  test.each(["nowhere", "inputs/net.pt"])("an export path that is no folder is named: %s", async (path) => {
    const given = options({ exportPath: join(root, path) });
    await expect(createArchive(given)).rejects.toThrow(`--export-path ${join(root, path)} is no folder`);
  });

  test("what --force may not replace: a folder by an archive, a file by a folder", async () => {
    const given = options({ force: true });
    mkdirSync(join(given.exportPath, "net.mar"));
    writeFileSync(join(given.exportPath, "net"), "words");
    await expect(createArchive(given)).rejects.toThrow(/net\.mar is a folder, which --force does not replace/);
    await expect(createArchive({ ...given, format: "no-archive" })).rejects.toThrow(/net is a file, which --force/);
  });

  test("a folder that is packed anew keeps what was put into it, and packs from itself", async () => {
    const given = options({ format: "no-archive", force: true });
    const { path } = await createArchive(given);
    mkdirSync(join(path, "weights"));
    writeFileSync(join(path, "weights/large.bin"), "gigabytes");
    writeFileSync(join(path, "MAR-INF/SHA256SUMS"), "of an archive that was unpacked here");
    await createArchive({
      ...given,
      serializedFile: join(path, "net.pt"),
      version: "2.0",
      extraFiles: [join(inputs, "assets")],
    });
    const opened = await unpack(path, { cache: join(root, "cache") });
    expect(opened.manifest.modelVersion).toBe("2.0");
    const names = await filesBelow(path);
    expect(names).toEqual(expect.arrayContaining(["weights/large.bin", "vocabulary/words.txt", "net.pt"]));
    expect(readdirSync(given.exportPath)).toEqual(["net"]);
  });
});
