import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { archiveLimits, type ArchiveLimits } from "../../../src/archive/limits.js";
import { extractTar } from "../../../src/archive/tar.js";
import { unpack } from "../../../src/archive/unpack.js";
import { ServerError } from "../../../src/errors.js";
import { buildTar, buildTgz, pax, type TarEntry } from "./tar-builder.js";
import { buildZip, torchScript } from "./zip-builder.js";

const root = mkdtempSync(join(tmpdir(), "sconce-tar-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;

function write(bytes: Buffer): { path: string; into: string } {
  const own = join(root, String(serial++));
  mkdirSync(join(own, "out"), { recursive: true });
  writeFileSync(join(own, "a.tar.gz"), bytes);
  return { path: join(own, "a.tar.gz"), into: join(own, "out") };
}

async function extract(entries: readonly TarEntry[], limits: ArchiveLimits = archiveLimits): Promise<string> {
  const { path, into } = write(buildTgz(entries));
  await extractTar(path, into, limits);
  return into;
}

describe("extractTar", () => {
  test("unpacks files and folders, readable by the owner only", async () => {
    const into = await extract([
      { name: "./", type: "5", mode: 0o755 },
      { name: "./m/", type: "5", mode: 0o755 },
      { name: "./m/MAR-INF/MANIFEST.json", data: "{}", mode: 0o777 },
      { name: "m/big", data: "x".repeat(100_000) },
      { name: "m/empty" },
      pax({ path: `m/${"long/".repeat(5)}${"n".repeat(150)}` }),
      { name: "short", data: "by its extended header" },
    ]);
    expect(readFileSync(join(into, "m/big"), "utf8")).toBe("x".repeat(100_000));
    expect(statSync(join(into, "m/MAR-INF/MANIFEST.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(into, "m")).mode & 0o777).toBe(0o700);
    expect(statSync(join(into, "m/empty")).size).toBe(0);
    expect(readFileSync(join(into, "m/long/long/long/long/long", "n".repeat(150)), "utf8")).toMatch(/extended/);
  });

  test("hundreds of files, in order and whole", async () => {
    const entries = Array.from({ length: 300 }, (_, i) => ({ name: `d/${i}`, data: `${i}`.repeat((i * 37) % 700) }));
    const into = await extract(entries);
    expect(readdirSync(join(into, "d"))).toHaveLength(300);
    for (const i of [0, 1, 299]) {
      expect(readFileSync(join(into, `d/${i}`), "utf8")).toBe(`${i}`.repeat((i * 37) % 700));
    }
  });

  test.each<[string, readonly TarEntry[], RegExp]>([
    ["a name that climbs", [{ name: "../evil" }], /\.\. part/],
    ["a sibling whose name begins like the target", [{ name: "../out-evil/x" }], /\.\. part/],
    ["a name that climbs from inside", [{ name: "a/../../evil" }], /\.\. part/],
    ["a name that climbs by its extended header", [pax({ path: "../evil" }), { name: "fine" }], /\.\. part/],
    ["an absolute name", [{ name: "/tmp/evil" }], /absolute path/],
    ["a drive", [{ name: "C:\\evil" }], /absolute path/],
    ["a backslash", [{ name: "..\\evil" }], /backslash/],
    ["a line break", [{ name: "a\nb" }], /control character/],
    ["an empty part", [{ name: "a//b" }], /empty, \. or \.\. part/],
    ["a long name", [pax({ path: "n".repeat(600) }), { name: "n" }], /maxNameBytes/],
    ["a deep name", [{ name: `${"d/".repeat(20)}x` }], /maxDepth/],
    ["a symbolic link", [{ name: "l", type: "2", link: "/etc/passwd" }], /link or a special file/],
    ["a hard link", [{ name: "l", type: "1", link: "/etc/passwd" }], /link or a special file/],
    ["a character device", [{ name: "d", type: "3" }], /link or a special file/],
    ["a block device", [{ name: "d", type: "4" }], /link or a special file/],
    ["a pipe", [{ name: "p", type: "6" }], /link or a special file/],
    ["a sparse file", [{ name: "s", type: "S", data: "x" }], /kind|special/],
    ["set-user-id", [{ name: "s", mode: 0o4755 }], /set-user-id/],
    ["a folder with contents", [{ name: "f", type: "5", data: "x" }], /damaged/],
    ["the same name twice", [{ name: "a" }, { name: "./a" }], /"a" is there twice/],
    [
      "MAR-INF twice",
      [
        { name: "MAR-INF/", type: "5" },
        { name: "MAR-INF/", type: "5" },
      ],
      /is there twice/,
    ],
    ["names that differ by case", [{ name: "A.pt" }, { name: "a.pt" }], /differ by case only/],
    ["a file that is a folder too", [{ name: "a" }, { name: "a/b" }], /both a file and a folder/],
    ["a wrong checksum", [{ name: "a", data: "x", checksum: 7 }], /checksum/],
    ["more bytes than there are", [{ name: "a", data: "x", size: 100_000 }], /[Tt]runcated/],
    ["a size no file has", [{ name: "a", size: 17 * 1024 ** 3 - 1 }, { name: "b" }], /maxFileBytes/],
    ["a long extended header", [{ ...pax({ comment: "c".repeat(70_000) }) }, { name: "a" }], /header over/],
    ["nothing", [], /empty one|Unrecognized/],
    ["a bomb by ratio", [{ name: "a", data: Buffer.alloc(10.5 * 1024 ** 2) }], /maxRatio/],
  ])("refuses %s", async (_, entries, words) => {
    const { path, into } = write(gzipSync(buildTar(entries), { level: 1 }));
    const error = await extractTar(path, into, archiveLimits).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe("invalid_model");
    expect((error as ServerError).message).toMatch(words);
    expect((error as ServerError).message.startsWith(path)).toBe(true);
    expect(readdirSync(join(into, "..")).sort()).toEqual(["a.tar.gz", "out"]);
    expect(existsSync("/tmp/evil")).toBe(false);
  });

  test.each<[string, Partial<ArchiveLimits>, RegExp]>([
    ["entries", { maxEntries: 1 }, /maxEntries/],
    ["a file's bytes", { maxFileBytes: 9 }, /maxFileBytes/],
    ["all bytes", { maxTotalBytes: 3071 }, /maxTotalBytes/],
  ])("a limit on %s says its name, and one more is allowed at the limit", async (_, limit, words) => {
    const entries = [
      { name: "a", data: "x".repeat(10) },
      { name: "b", data: "y".repeat(10) },
    ];
    await expect(extract(entries, { ...archiveLimits, ...limit })).rejects.toThrow(words);
    const raised = Object.fromEntries(Object.entries(limit).map(([key, value]) => [key, Number(value) + 1]));
    await expect(extract(entries, { ...archiveLimits, ...raised })).resolves.toBeTypeOf("string");
  });

  test.each([
    ["text", Buffer.from("not gzip at all"), /not a gzip file/],
    ["gzipped text", gzipSync("hello"), /not a tar archive/],
    ["gzip in gzip", gzipSync(buildTgz([{ name: "a" }])), /gzip data inside/],
    ["half a file", buildTgz([{ name: "a", data: Buffer.from("x".repeat(9000)) }]).subarray(0, 60), /cut short/],
    ["a damaged checksum", flipped(buildTgz([{ name: "a", data: "x" }]), -6), /damaged/],
    ["half a tar", gzipSync(buildTar([{ name: "a", data: "x".repeat(9000) }]).subarray(0, 3000)), /[Tt]runcated/],
  ])("refuses %s in words", async (_, bytes, words) => {
    const { path, into } = write(bytes);
    await expect(extractTar(path, into, archiveLimits)).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(words) as string,
    });
  });

  test("any flipped byte ends in a refusal or in files, never in another error", async () => {
    const whole = buildTar([{ name: "m/a", data: "x".repeat(600) }, pax({ path: "m/b" }), { name: "b", data: "y" }]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 1 << bit;
        const { path, into } = write(gzipSync(bytes, { level: 1 }));
        const outcome = await extractTar(path, into, archiveLimits).catch((error: unknown) => error);
        if (outcome !== undefined) expect(outcome).toBeInstanceOf(ServerError);
        expect(readdirSync(join(into, "..")).sort()).toEqual(["a.tar.gz", "out"]);
      }),
      { numRuns: 100 },
    );
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at]! ^= 0xff;
  return copy;
}

describe("a model in a tar archive", () => {
  const script = buildZip(torchScript());
  const manifest = JSON.stringify({ model: { modelName: "m", serializedFile: "w.pt", modelVersion: "3.0" } });
  const cache = join(root, "cache");

  test.each([
    ["one folder around everything", "m/"],
    ["nothing around", ""],
    ["a leading dot", "./"],
  ])("with %s", async (_, prefix) => {
    const { path } = write(
      buildTgz([
        { name: `${prefix}w.pt`, data: script },
        { name: `${prefix}MAR-INF/MANIFEST.json`, data: manifest },
      ]),
    );
    const files = await unpack(path, { cache });
    expect(files.manifest).toMatchObject({ modelName: "m", modelVersion: "3.0" });
    expect(readFileSync(await files.artifact())).toEqual(script);
  });

  test("a missing manifest: named after the file", async () => {
    const { path } = write(buildTgz([{ name: "x/w.pt", data: script }]));
    expect(await unpack(path, { cache })).toMatchObject({ stem: "a", manifest: {} });
  });

  test("refused, it leaves nothing in the cache", async () => {
    const before = readdirSync(join(cache, "models"));
    const { path } = write(
      buildTgz([
        { name: "w.pt", data: script },
        { name: "l", type: "2", link: "w.pt" },
      ]),
    );
    await expect(unpack(path, { cache })).rejects.toThrow(/a\.tar\.gz: entry "l" is a link/);
    expect(readdirSync(join(cache, "models"))).toEqual(before);
    expect(readdirSync(join(cache, "incoming"))).toEqual([]);
  });
});
