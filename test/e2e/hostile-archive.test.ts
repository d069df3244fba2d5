/**
 * Cases 27 to 34 and the archive rows of TorchServe's vulnerabilities, over the management API of a running server: each
 * archive is refused with its reason, nothing of it stays on disk, and the server goes on.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildTgz, type TarEntry } from "../unit/archive/tar-builder.js";
import { buildZip, torchScript, type ZipEntry } from "../unit/archive/zip-builder.js";
import { call, jsonOf } from "./client.js";
import { expectError, stillServes } from "./hostile.js";
import { models, repository, Server } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-hostile-"));
const store = join(root, "store");
const cache = join(root, "cache");
mkdirSync(store);

const sound = readFileSync(`${models}ledger.pt`);
const manifest = (fields: object = {}): string =>
  JSON.stringify({ model: { modelName: "evil", modelVersion: "1", serializedFile: "m.pt", ...fields } });

/** A sound archive but for what is put on top of it. */
function mar(more: readonly ZipEntry[], model: Buffer = sound, fields: object = {}): Buffer {
  return buildZip([{ name: "MAR-INF/MANIFEST.json", data: manifest(fields) }, { name: "m.pt", data: model }, ...more]);
}

const tar = (more: readonly TarEntry[]): Buffer =>
  buildTgz([{ name: "e/MAR-INF/MANIFEST.json", data: manifest() }, { name: "e/m.pt", data: sound }, ...more]);

const yaml = (text: string): Buffer => mar([{ name: "c.yaml", data: text }], sound, { configFile: "c.yaml" });

/** Half of the bits that matter. */
function flipped(): Buffer {
  const bytes = Buffer.from(sound);
  for (let at = bytes.length >> 1; at < bytes.length; at += 97) bytes[at] = (bytes[at] ?? 0) ^ 4;
  return bytes;
}

/** The records of a model's file, inflated. */
function recordsOf(model: Buffer): ZipEntry[] {
  const records: ZipEntry[] = [];
  for (let at = model.indexOf("PK\x01\x02"); at >= 0; at = model.indexOf("PK\x01\x02", at + 4)) {
    const name = model.toString("utf8", at + 46, at + 46 + model.readUInt16LE(at + 28));
    const local = model.readUInt32LE(at + 42);
    const start = local + 30 + model.readUInt16LE(local + 26) + model.readUInt16LE(local + 28);
    const data = model.subarray(start, start + model.readUInt32LE(at + 20));
    records.push({ name, data: model.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data) });
  }
  return records;
}

/** A model with bytes of one of its records exchanged. */
function patched(model: Buffer, record: string, from: string, to: string): Buffer {
  const [old, wanted] = [Buffer.from(from, "latin1"), Buffer.from(to, "latin1")];
  const records = recordsOf(model);
  const data = Buffer.from(records.find(({ name }) => name === record)?.data ?? "");
  expect([data.indexOf(old) >= 0, old.length]).toEqual([true, wanted.length]);
  for (let at = data.indexOf(old); at >= 0; at = data.indexOf(old)) wanted.copy(data, at);
  return buildZip(records.map((each) => (each.name === record ? { name: record, data } : each)));
}

/** As a libtorch of years to come would write it. */
const newer = (): Buffer => patched(sound, "ledger/version", "3\n", "99");

/** Its pickle says 65,535 elements of a storage whose record holds 1,024: what lies behind is this process' own. */
const claims = (model: Buffer, name: string): Buffer => patched(model, `${name}/data.pkl`, "M\x00\x04", "M\xff\xff");

const giant = { name: "m/data/0", data: Buffer.alloc(1800), size: 2_200_000_000 };

const aliases = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join("\n");

const refused: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  "climbs.mar": [mar([{ name: "../climbed", data: "x" }]), /\.\./],
  // The prefix of the place that it is unpacked to, and more.
  "sibling.mar": [mar([{ name: "../incoming-evil/x", data: "x" }]), /\.\./],
  "absolute.mar": [mar([{ name: "/tmp/sconce-climbed", data: "x" }]), /absolute path/],
  "drive.mar": [mar([{ name: "C:\\climbed", data: "x" }]), /invalid|absolute/],
  "backslash.mar": [mar([{ name: "..\\climbed", data: "x" }]), /invalid characters/],
  "nul.mar": [mar([{ name: "a\0b", data: "x" }]), /control character/],
  "climbs.tar.gz": [tar([{ name: "../climbed", data: "x" }]), /\.\./],
  "link.tar.gz": [tar([{ name: "e/l", type: "2", link: "/etc/passwd" }]), /link or a special file/],
  "hardlink.tar.gz": [tar([{ name: "e/l", type: "1", link: "/etc/passwd" }]), /link or a special file/],
  "device.tar.gz": [tar([{ name: "e/d", type: "3" }]), /link or a special file/],
  "symlink.mar": [mar([{ name: "l", data: "/etc/passwd", mode: 0o120_777 }]), /link or a special file/],
  "setuid.mar": [mar([{ name: "s", data: "x", mode: 0o104_755 }]), /set-user-id/],
  "twice.mar": [mar([{ name: "MAR-INF/MANIFEST.json", data: manifest() }]), /there twice/],
  "case.mar": [mar([{ name: "mar-inf/manifest.json", data: manifest() }]), /differ by case/],
  "bomb.mar": [mar([{ name: "b", data: Buffer.alloc(12 << 20), method: 8 }]), /maxRatio/],
  "many.mar": [mar(Array.from({ length: 10_001 }, (_, i) => ({ name: `f${i}` }))), /maxEntries/],
  "lies.mar": [mar([{ name: "l", data: "x".repeat(100), method: 8, size: 10 }]), /bytes/],
  "overlaps.mar": [mar([{ name: "o", data: manifest(), offset: 0 }]), /overlaps|another name/],
  "two-names.mar": [mar([{ name: "n", localName: "other", data: "x" }]), /another name/],
  "crc.mar": [mar([{ name: "c", data: "x", crc: 1 }]), /CRC-32/],
  "torn.mar": [mar([]).subarray(0, -30), /zip|end/i],
  "manifest.mar": [buildZip([{ name: "MAR-INF/MANIFEST.json", data: "{" }]), /MANIFEST\.json/],
  ...Object.fromEntries(
    ["configFile", "handler", "serializedFile", "modelFile", "requirementsFile"].map((field) => [
      `${field}.mar`,
      [mar([], sound, { [field]: "../../etc/passwd" }), new RegExp(`${field}.*passwd`)],
    ]),
  ),
  // A YAML reader that makes objects of what the file names was CVE-2022-1471.
  "tag.mar": [yaml('!!javax.script.ScriptEngineManager [!!java.net.URL ["http://127.0.0.1/"]]'), /c\.yaml/],
  "python.mar": [yaml("minWorkers: !!python/object/apply:os.system [id]"), /c\.yaml/],
  "aliases.mar": [yaml(`a0: &a0 [x]\n${aliases}`), /c\.yaml/],
  // Nested: what libtorch would read is checked as the archive itself is.
  "inner-climbs.mar": [mar([], buildZip([...torchScript(), { name: "../climbed" }])), /m\.pt/],
  "truncated.mar": [mar([], sound.subarray(0, -4096)), /m\.pt/],
  "flipped.mar": [mar([], flipped()), /m\.pt/],
  "newer.mar": [mar([], newer()), /m\.pt: .*version 99/s],
  "claims.mar": [
    mar([], claims(sound, "ledger")),
    /m\.pt: a tensor's storage is said to have 262140 bytes, and the file has about 4\d{3}/,
  ],
  // Its weights are packed while it loads, so that no tensor is left to look at.
  "claims-quantised.mar": [
    mar([], claims(readFileSync(`${repository}test/fixtures/models/quantised.pt`), "quantised")),
    /m\.pt: a tensor's storage is said to have 65535 bytes, and the file has about 1\d{3}/,
  ],
  // 2.2 GB declared in 1.8 KB, with the same in the bytes that are there and not.
  "giant.mar": [mar([], buildZip([...torchScript(), giant])), /m\.pt.*bytes|m\.pt.*size/],
  "giant-packed.mar": [mar([], buildZip([...torchScript(), { ...giant, packedSize: giant.size }])), /m\.pt/],
  "script.mar": [
    mar([{ name: "handler.ts", data: "export default {{" }], sound, { handler: "handler.ts" }),
    /handler\.ts/,
  ],
  "throws.mar": [mar([{ name: "h.mjs", data: "throw new Error('no')" }], sound, { handler: "h.mjs" }), /h\.mjs/],
  "no-model.mar": [mar([], buildZip(torchScript())), /m\.pt|evil/],
};

let server: Server;
beforeAll(async () => {
  for (const [name, [bytes]] of Object.entries(refused)) writeFileSync(join(store, name), bytes);
  const words = [`${models}ledger.pt`, "--model-store", store, "--enable-model-api"];
  server = await Server.start(words, { env: { SCONCE_CACHE_DIR: cache } });
});
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(root, { recursive: true });
});

const everything = (): string[] => readdirSync(root, { recursive: true, encoding: "utf8" }).sort();

test.each(Object.entries(refused))("%s is refused and leaves nothing", { timeout: 60_000 }, async (name, [, words]) => {
  const before = everything();
  const path = `/models?url=${name}&initial_workers=1`;
  const answer = await call(server.managementPort, { method: "POST", path }, 50_000);
  expectError(answer, { status: 400, says: [words] });
  expect((jsonOf(answer) as { readonly type: string }).type).toBe("InvalidModelException");
  const kept = [...before, "cache/incoming", "cache/models", "cache/verdicts"];
  expect(everything().filter((each) => !kept.includes(each))).toEqual([]);
  expect(existsSync("/tmp/sconce-climbed")).toBe(false);
});

test("afterwards nothing is registered and what served serves", async () => {
  const listed = jsonOf(await call(server.managementPort, { path: "/models" })) as { models: object[] };
  expect(listed.models).toHaveLength(1);
  await stillServes(server);
});
