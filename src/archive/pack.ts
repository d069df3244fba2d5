/**
 * Files → an archive, the same bytes for the same input: sorted names, one date, one mode, no owner. Formats are those of
 * torch-model-archiver. Writes to the path it is given and nowhere else; main thread, asynchronous.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { ZipFile } from "yazl";
import { tarEnd, tarHeader, tarPadding } from "./tar-write.js";

export interface PackedFile {
  /** Path inside the archive. */
  readonly name: string;
  /** Where its bytes are: a file's path, or the bytes. */
  readonly from: string | Buffer;
}

export const archiveFormats = ["default", "zip-store", "tgz", "no-archive"] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

/** What each format's archives are called behind the model's name. */
export const endingOf: Readonly<Record<ArchiveFormat, string>> = {
  default: ".mar",
  "zip-store": ".mar",
  tgz: ".tar.gz",
  "no-archive": "",
};

const fileMode = 0o100_644;

/** `folder` is the folder around everything in a tar archive. */
export async function pack(
  path: string,
  format: ArchiveFormat,
  folder: string,
  files: readonly PackedFile[],
): Promise<void> {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (format === "no-archive") return packFolder(path, sorted);
  if (format === "tgz") return packTar(path, folder, sorted);
  return packZip(path, format === "default", sorted);
}

async function packZip(path: string, compress: boolean, files: readonly PackedFile[]): Promise<void> {
  const zip = new ZipFile();
  // Zip's dates are local times without a zone: this one is the same text everywhere, a day after the first there is.
  const options = { mtime: new Date(1980, 0, 2), mode: fileMode, compress, forceDosTimestamp: true };
  for (const { name, from } of files) {
    if (typeof from === "string") zip.addFile(from, name, options);
    else zip.addBuffer(from, name, options);
  }
  const failed = new AbortController();
  zip.once("error", (error: unknown) => failed.abort(error));
  zip.end();
  const { signal } = failed;
  await pipeline(zip.outputStream, createWriteStream(path, { flags: "wx" }), { signal }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
}

async function packTar(path: string, folder: string, files: readonly PackedFile[]): Promise<void> {
  // A gzip header without a name or date, level 6: the same bytes for the same input and zlib.
  await pipeline(tarBytes(folder, files), createGzip({ level: 6 }), createWriteStream(path, { flags: "wx" }));
}

async function* tarBytes(folder: string, files: readonly PackedFile[]): AsyncGenerator<Buffer> {
  for (const { name, from } of files) {
    const size = typeof from === "string" ? (await stat(from)).size : from.length;
    yield tarHeader(`${folder}/${name}`, size);
    let read = 0;
    for await (const chunk of typeof from === "string" ? createReadStream(from) : [from]) {
      read += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (read !== size) throw new Error(`${name} changed while it was packed`);
    yield tarPadding(size);
  }
  yield tarEnd;
}

async function packFolder(path: string, files: readonly PackedFile[]): Promise<void> {
  await mkdir(path);
  for (const { name, from } of files) {
    const target = join(path, name);
    await mkdir(dirname(target), { recursive: true });
    await (typeof from === "string" ? copyFile(from, target) : writeFile(target, from));
  }
}
