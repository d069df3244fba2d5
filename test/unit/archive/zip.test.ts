import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  mkdirSync,
  existsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { ServerError } from "../../../src/errors.js";
import { archiveLimits, artifactLimits, type ArchiveLimits } from "../../../src/archive/limits.js";
import { extractZip, verifyZip } from "../../../src/archive/zip.js";
import { buildZip, torchScript, type ZipEntry } from "./zip-builder.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-zip-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;

function write(bytes: Buffer): { path: string; into: string } {
  const own = join(folder, String(serial++));
  mkdirSync(join(own, "out"), { recursive: true });
  writeFileSync(join(own, "a.mar"), bytes);
  return { path: join(own, "a.mar"), into: join(own, "out") };
}

async function extract(entries: readonly ZipEntry[], limits: ArchiveLimits = archiveLimits): Promise<string> {
  const { path, into } = write(buildZip(entries));
  await extractZip(path, into, limits);
  return into;
}

const regular = 0o100_644;

describe("extractZip", () => {
  test("unpacks stored and deflated files and folders, readable by the owner only", async () => {
    const into = await extract([
      { name: "MAR-INF/", mode: 0o040_755 },
      { name: "MAR-INF/MANIFEST.json", data: "{}", mode: 0o100_777 },
      { name: "deep/er/x.txt", data: "x".repeat(1000), method: 8 },
      { name: "empty" },
    ]);
    expect(readFileSync(join(into, "deep/er/x.txt"), "utf8")).toBe("x".repeat(1000));
    expect(statSync(join(into, "MAR-INF/MANIFEST.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(into, "deep")).mode & 0o777).toBe(0o700);
    expect(statSync(join(into, "empty")).size).toBe(0);
  });

  test.each<[string, readonly ZipEntry[], RegExp]>([
    ["a name that climbs", [{ name: "../evil" }], /invalid relative path|\.\./],
    ["a sibling whose name begins like the target", [{ name: "../out-evil/x" }], /invalid relative path|\.\./],
    ["a name that climbs from inside", [{ name: "a/../../evil" }], /invalid relative path|\.\./],
    ["an absolute name", [{ name: "/tmp/evil" }], /absolute path/],
    ["a drive", [{ name: "C:\\evil" }], /invalid|absolute/],
    ["a backslash", [{ name: "..\\evil" }], /invalid characters/],
    ["a NUL", [{ name: "a\0b" }], /control character/],
    ["a line break", [{ name: "a\nb" }], /control character/],
    ["an empty part", [{ name: "a//b" }], /empty, \. or \.\. part/],
    ["a dot", [{ name: "./a" }], /empty, \. or \.\. part/],
    ["a long name", [{ name: "n".repeat(600) }], /maxNameBytes/],
    ["a deep name", [{ name: `${"d/".repeat(20)}x` }], /maxDepth/],
    ["a symbolic link", [{ name: "l", data: "/etc/passwd", mode: 0o120_777 }], /link or a special file/],
    ["a device", [{ name: "d", mode: 0o020_666 }], /link or a special file/],
    ["a pipe", [{ name: "p", mode: 0o010_666 }], /link or a special file/],
    ["set-user-id", [{ name: "s", mode: 0o104_755 }], /set-user-id/],
    ["a folder by its mode only", [{ name: "f", mode: 0o040_755 }], /folder by its name or mode only/],
    ["a folder with contents", [{ name: "f/", data: "x" }], /contents of its own/],
    ["the same name twice", [{ name: "a" }, { name: "a" }], /"a" is there twice/],
    ["MAR-INF twice", [{ name: "MAR-INF/MANIFEST.json" }, { name: "MAR-INF/MANIFEST.json" }], /is there twice/],
    ["a folder twice", [{ name: "MAR-INF/" }, { name: "MAR-INF/" }], /is there twice/],
    ["names that differ by case", [{ name: "A.pt" }, { name: "a.pt" }], /differ by case only/],
    ["folders that differ by case", [{ name: "MAR-INF/x" }, { name: "mar-inf/y" }], /differ by case only/],
    ["names that differ by Unicode form", [{ name: "\u00e9" }, { name: "e\u0301" }], /differ by case only/],
    ["a file that is a folder too", [{ name: "a" }, { name: "a/b" }], /both a file and a folder/],
    ["encryption", [{ name: "a", data: "x", flags: 1, method: 8 }], /encrypted/],
    ["another method", [{ name: "a", data: "x", method: 12 }], /compression method 12/],
    ["a wrong checksum", [{ name: "a", data: "hello", crc: 1 }], /"a" is damaged.*CRC-32/],
    ["a wrong checksum, deflated", [{ name: "a", data: "hello", crc: 1, method: 8 }], /CRC-32/],
    ["more bytes than declared", [{ name: "a", data: "x".repeat(100), method: 8, size: 10, crc: 0 }], /bytes/],
    ["fewer bytes than declared", [{ name: "a", data: "x", method: 8, size: 100, crc: 0 }], /bytes/],
    ["another name in its own header", [{ name: "a", localName: "b" }], /another name or method/],
    ["another size in its own header", [{ name: "a", data: "xy", localSize: 3 }], /another size/],
    [
      "one entry's bytes under two names",
      [
        { name: "a", data: "x" },
        { name: "b", data: "x", offset: 0 },
      ],
      /overlaps|another name/,
    ],
    ["a bomb by ratio", [{ name: "a", data: Buffer.alloc(11 * 1024 ** 2), method: 8 }], /maxRatio/],
  ])("refuses %s", async (_, entries, words) => {
    const { path, into } = write(buildZip(entries));
    const error = await extractZip(path, into, archiveLimits).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe("invalid_model");
    expect((error as ServerError).message).toMatch(words);
    expect((error as ServerError).message.startsWith(path)).toBe(true);
    expect(readdirSync(join(into, "..")).sort()).toEqual(["a.mar", "out"]);
    expect(existsSync("/tmp/evil")).toBe(false);
  });

  test.each<[string, Partial<ArchiveLimits>, RegExp]>([
    ["entries", { maxEntries: 1 }, /maxEntries/],
    ["a file's bytes", { maxFileBytes: 9 }, /maxFileBytes/],
    ["all bytes", { maxTotalBytes: 19 }, /maxTotalBytes/],
  ])("a limit on %s says its name, and one more is allowed at the limit", async (_, limit, words) => {
    const entries = [
      { name: "a", data: "x".repeat(10), mode: regular },
      { name: "b", data: "y".repeat(10), mode: regular },
    ];
    await expect(extract(entries, { ...archiveLimits, ...limit })).rejects.toThrow(words);
    const raised = Object.fromEntries(Object.entries(limit).map(([key, value]) => [key, Number(value) + 1]));
    await expect(extract(entries, { ...archiveLimits, ...raised })).resolves.toBeTypeOf("string");
  });

  test("never overwrites: an existing file ends it", async () => {
    const { path, into } = write(buildZip([{ name: "a", data: "new" }]));
    writeFileSync(join(into, "a"), "old");
    await expect(extractZip(path, into, archiveLimits)).rejects.toThrow(/EEXIST/);
    expect(readFileSync(join(into, "a"), "utf8")).toBe("old");
  });
});

describe("damaged files", () => {
  const whole = buildZip(torchScript());
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("not a zip")],
    ["the first half", whole.subarray(0, whole.length / 2)],
    ["all but the last byte", whole.subarray(0, -1)],
    ["only the end record", whole.subarray(-22)],
  ])("%s is refused in words", async (_, bytes) => {
    await expect(verifyZip(write(bytes).path, artifactLimits)).rejects.toMatchObject({ code: "invalid_model" });
  });

  test("any flipped bit is noticed or changes nothing that is read", async () => {
    const names = torchScript().map((entry) => entry.name);
    const position = fc.nat(whole.length - 1);
    await fc.assert(
      fc.asyncProperty(position, fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 1 << bit;
        const outcome = await verifyZip(write(bytes).path, artifactLimits).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ServerError);
        else expect((outcome as string[]).length).toBe(names.length);
      }),
      { numRuns: 300 },
    );
  });

  test("random bytes never throw anything else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await expect(verifyZip(write(Buffer.from(bytes)).path, artifactLimits)).rejects.toBeInstanceOf(ServerError);
      }),
      { numRuns: 50 },
    );
  });
});
