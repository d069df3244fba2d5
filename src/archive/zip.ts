/**
 * Zip files that nobody vouches for. Every entry is checked before any byte is unpacked: name, kind, size, ratio, count,
 * duplicates, overlaps, agreement of its two headers; every byte that is read is checked against its CRC-32. Whatever is
 * wrong is ServerError invalid_model naming file, entry and limit. Main thread; asynchronous throughout.
 *
 *   await extractZip("/store/a.mar", "/cache/incoming/1f…", archiveLimits);   // the folder must be new and empty
 *   const names = await verifyZip("/store/a.pt", artifactLimits);             // reads all, writes nothing
 */
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { openPromise, type Entry, type ZipFile } from "yauzl";
import { ServerError } from "../errors.js";
import { checkEntryName, createEntry, EntryNames, writeAll } from "./entries.js";
import { invalid, invalidBy } from "./failure.js";
import type { ArchiveLimits } from "./limits.js";

const typeMask = 0o170_000;
const regular = 0o100_000;
const directory = 0o040_000;
const setIdBits = 0o6000;
const encryptedBits = 0x41; // traditional and strong encryption
const descriptorBit = 0x8;
const unixMadeBy = 3;
/** End of central directory, plain and Zip64. */
const endSignatures: readonly number[] = [0x06054b50, 0x06064b50];

export const isFolder = (entry: Entry): boolean => entry.fileName.endsWith("/");

/** Unpacks into an existing empty folder. Files get mode 0600, folders 0700; nothing existing is overwritten or followed. */
export async function extractZip(path: string, into: string, limits: ArchiveLimits): Promise<void> {
  await withEntries(path, limits, async (zip, entries) => {
    for (const entry of entries) {
      const target = join(into, entry.fileName);
      await mkdir(isFolder(entry) ? target : dirname(target), { recursive: true, mode: 0o700 });
      if (!isFolder(entry)) await extractEntry(path, zip, entry, target);
    }
  });
}

/** Reads every entry and checks its CRC. Resolves to the names of the files; `look` sees their bytes as they are read. */
export async function verifyZip(
  path: string,
  limits: ArchiveLimits,
  look: (file: string, chunk: Buffer) => void = () => undefined,
): Promise<readonly string[]> {
  return withEntries(path, limits, async (zip, entries) => {
    const files = entries.filter((entry) => !isFolder(entry));
    for (const entry of files) {
      const { fileName } = entry;
      await readChecked(path, zip, entry, (chunk) => {
        look(fileName, chunk);
        return undefined;
      });
    }
    return files.map((entry) => entry.fileName);
  });
}

async function withEntries<T>(
  path: string,
  limits: ArchiveLimits,
  use: (zip: ZipFile, entries: readonly Entry[]) => Promise<T>,
): Promise<T> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: true, decodeStrings: true });
    const entries = await listChecked(path, zip, limits);
    await checkLayout(path, zip, entries);
    return await use(zip, entries);
  } catch (error) {
    throw error instanceof ServerError ? error : invalid(path, zipWords(error), error);
  } finally {
    zip?.close();
  }
}

/** yauzl's words, where they are not an operator's. */
function zipWords(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/end of central directory|too (small|short)/i.test(message)) {
    return "not a zip archive, or cut short: its table of contents (at the end) is missing";
  }
  if (/unexpected EOF|not enough bytes|too many bytes|expected.*bytes/i.test(message))
    return `damaged or cut short: ${message}`;
  if (/invalid (block|stored|distance|code|literal|bit)|incorrect header|unknown compression/i.test(message)) {
    return `damaged: its compressed data does not unpack (${message})`;
  }
  return message;
}

async function listChecked(path: string, zip: ZipFile, limits: ArchiveLimits): Promise<readonly Entry[]> {
  if (zip.entryCount > limits.maxEntries) {
    throw invalid(path, `holds ${zip.entryCount} entries, the limit (maxEntries) is ${limits.maxEntries}`);
  }
  const entries: Entry[] = [];
  const names = new EntryNames(path, limits);
  let total = 0;
  for await (const entry of zip.eachEntry()) {
    checkEntry(path, entry, limits);
    names.add(entry.fileName, isFolder(entry));
    total += entry.uncompressedSize;
    if (total > limits.maxTotalBytes) {
      throw invalid(path, `unpacks to more than ${limits.maxTotalBytes} bytes (maxTotalBytes)`);
    }
    entries.push(entry);
  }
  await checkEnd(path, zip);
  return entries;
}

/** The table of contents ends where its last entry ends: a count that is too low would hide entries from one reader only. */
async function checkEnd(path: string, zip: ZipFile): Promise<void> {
  // A number at run time, whatever its declaration says.
  const end = Number(zip.readEntryCursor);
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, end);
    if (!endSignatures.includes(buffer.readUInt32LE(0))) {
      throw invalid(path, `damaged: its table of contents has more than the ${zip.entryCount} entries it counts`);
    }
  } finally {
    await file.close();
  }
}

function checkEntry(path: string, entry: Entry, limits: ArchiveLimits): void {
  const name = JSON.stringify(entry.fileName);
  const fail = (what: string): ServerError => invalid(path, `entry ${name} ${what}`);
  checkEntryName(path, entry.fileName, limits);
  if ((entry.generalPurposeBitFlag & encryptedBits) !== 0) throw fail("is encrypted; sconce reads plain archives");
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw fail(`uses compression method ${entry.compressionMethod}; sconce reads stored (0) and deflated (8)`);
  }
  checkKind(entry, fail);
  if (entry.uncompressedSize > limits.maxFileBytes) {
    throw fail(`unpacks to ${entry.uncompressedSize} bytes, the limit (maxFileBytes) is ${limits.maxFileBytes}`);
  }
  const big = entry.uncompressedSize > limits.ratioFloorBytes;
  if (big && entry.uncompressedSize > limits.maxRatio * entry.compressedSize) {
    throw fail(`unpacks to over ${limits.maxRatio} times its size (maxRatio)`);
  }
}

function checkKind(entry: Entry, fail: (what: string) => ServerError): void {
  const mode = entry.versionMadeBy >>> 8 === unixMadeBy ? entry.externalFileAttributes >>> 16 : 0;
  const type = mode & typeMask;
  if (type !== 0 && type !== regular && type !== directory) {
    throw fail("is a link or a special file; an archive may hold files and folders only");
  }
  if ((mode & setIdBits) !== 0) throw fail("has its set-user-id or set-group-id bit set");
  if (isFolder(entry) !== (type === directory) && type !== 0) throw fail("is a folder by its name or mode only");
  if (isFolder(entry) && entry.uncompressedSize > 0) throw fail("is a folder with contents of its own");
}

/** Local headers say what the table of contents says, and no two entries share bytes: all readers see the same files. */
async function checkLayout(path: string, zip: ZipFile, entries: readonly Entry[]): Promise<void> {
  const ordered = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  let end = 0;
  for (const entry of ordered) {
    const name = JSON.stringify(entry.fileName);
    const local = await zip.readLocalFileHeaderPromise(entry);
    if (entry.relativeOffsetOfLocalHeader < end) throw invalid(path, `entry ${name} overlaps another one`);
    end = local.fileDataStart + entry.compressedSize;
    const described = (local.generalPurposeBitFlag & descriptorBit) !== 0;
    const same = (here: number, there: number): boolean =>
      here === there || here === 0xffff_ffff || (described && here === 0);
    if (!local.fileName.equals(entry.fileNameRaw) || local.compressionMethod !== entry.compressionMethod) {
      throw invalid(path, `entry ${name} has another name or method in its own header`);
    }
    if (!same(local.compressedSize, entry.compressedSize) || !same(local.uncompressedSize, entry.uncompressedSize)) {
      throw invalid(path, `entry ${name} has another size in its own header`);
    }
  }
}

async function extractEntry(path: string, zip: ZipFile, entry: Entry, target: string): Promise<void> {
  const file = await createEntry(target);
  try {
    await readChecked(path, zip, entry, (chunk) => writeAll(file, chunk));
  } catch (error) {
    throw (error as { code?: unknown }).code === "ENOSPC" ? invalidBy(path, error) : error;
  } finally {
    await file.close();
  }
}

async function readChecked(
  path: string,
  zip: ZipFile,
  entry: Entry,
  take: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  const stream: Readable = await zip.openReadStreamPromise(entry);
  let sum = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      await take(chunk);
    }
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw invalid(path, `entry ${JSON.stringify(entry.fileName)}: ${zipWords(error)}`, error);
  }
  if (sum !== entry.crc32) {
    throw invalid(
      path,
      `entry ${JSON.stringify(entry.fileName)} is damaged: its checksum (CRC-32) does not match its bytes`,
    );
  }
}
