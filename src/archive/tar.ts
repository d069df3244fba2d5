/**
 * Gzipped tar archives that nobody vouches for, read as a stream: each entry is checked (kind, name, size, duplicates)
 * before its first byte is written, and the stream is bounded in bytes, entries and ratio. Whatever is wrong is ServerError
 * invalid_model naming file, entry and limit; the caller removes what was written by then. Main thread, asynchronous.
 *
 *   await extractTar("/store/a.tar.gz", "/cache/incoming/1f…", archiveLimits);   // the folder must be new and empty
 */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createGunzip, type Gunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { ServerError } from "../errors.js";
import { checkEntryName, createEntry, EntryNames, writeAll } from "./entries.js";
import { invalid, invalidBy } from "./failure.js";
import type { ArchiveLimits } from "./limits.js";

const fileTypes: readonly string[] = ["File", "OldFile", "ContiguousFile"];
const setIdBits = 0o6000;
/** Bytes of one extended header: room for any name within maxNameBytes and what writers add to it. */
const maxHeaderBytes = 64 * 1024;

/** Unpacks into an existing empty folder. Files get mode 0600, folders 0700; nothing existing is overwritten or followed. */
export async function extractTar(path: string, into: string, limits: ArchiveLimits): Promise<void> {
  const gunzip = createGunzip();
  const source = createReadStream(path);
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  const extraction = new Extraction(path, into, limits);
  try {
    await extraction.take(gunzip);
  } catch (error) {
    await extraction.end(error);
    if (error instanceof ServerError) throw error;
    throw invalidBy(path, worded(path, error));
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** zlib's and the parser's words, where they are not an operator's. */
function worded(path: string, error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const words = typeof message === "string" ? message : String(error);
  if (words === "incorrect header check") return invalid(path, "not a gzip file", error);
  if (typeof code === "string" && code.startsWith("Z_")) return invalid(path, `damaged or cut short: ${words}`, error);
  if (typeof code === "string" && code.startsWith("TAR_")) {
    return invalid(path, `not a tar archive, or damaged: ${words}`, error);
  }
  return error;
}

/** The name without what tar writes before and behind it: "./a/" → "a". */
function plainName(name: string): string {
  return name.replace(/^(\.\/+)+/, "").replace(/\/+$/, "");
}

/** One archive on its way to one folder. */
class Extraction {
  private readonly path: string;
  private readonly into: string;
  private readonly limits: ArchiveLimits;
  private readonly names: EntryNames;
  private readonly parser: Parser;
  private readonly abort = new AbortController();
  private entries = 0;
  private inflated = 0;
  /** The entry that is being written. */
  private reading: ReadEntry | undefined;
  /** Entries are written one after the other, in order. */
  private written: Promise<void> = Promise.resolve();

  constructor(path: string, into: string, limits: ArchiveLimits) {
    this.path = path;
    this.into = into;
    this.limits = limits;
    this.names = new EntryNames(path, limits);
    // The stream is inflated here, under a bound of ours: what is compressed again inside it is no tar.
    this.parser = new Parser({ strict: true, zstd: false, maxMetaEntrySize: maxHeaderBytes });
    this.parser.on("entry", (entry: ReadEntry) => this.guard(() => this.begin(entry)));
    this.parser.on("ignoredEntry", (entry: ReadEntry) => this.guard(() => this.refuseIgnored(entry)));
    this.parser.on("meta", () => this.guard(() => this.count()));
    this.parser.on("error", (error: unknown) => this.fail(error));
  }

  async take(gunzip: Gunzip): Promise<void> {
    const ended = once(this.parser, "end", { signal: this.abort.signal });
    ended.catch(() => undefined);
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      this.checkInflated(chunk, gunzip.bytesWritten);
      const goOn = this.parser.write(chunk);
      this.throwIfFailed();
      if (!goOn) await once(this.parser, "drain", { signal: this.abort.signal }).catch(() => this.throwIfFailed());
    }
    this.parser.end();
    this.throwIfFailed();
    await ended.catch(() => this.throwIfFailed());
    await this.written;
    this.throwIfFailed();
    if (this.entries === 0) throw invalid(this.path, "not a tar archive, or an empty one");
  }

  /** After a failure: no file is open and nothing is written any more when this resolves. */
  async end(error: unknown): Promise<void> {
    this.fail(error);
    await this.written.catch(() => undefined);
  }

  private checkInflated(chunk: Buffer, packed: number): void {
    const { path, limits } = this;
    if (this.inflated === 0 && chunk[0] === 0x1f && chunk[1] === 0x8b) {
      throw invalid(path, "holds gzip data inside gzip data, expected a tar archive");
    }
    this.inflated += chunk.length;
    if (this.inflated > limits.maxTotalBytes) {
      throw invalid(path, `unpacks to more than ${limits.maxTotalBytes} bytes (maxTotalBytes)`);
    }
    if (this.inflated > limits.ratioFloorBytes && this.inflated > limits.maxRatio * packed) {
      throw invalid(path, `unpacks to over ${limits.maxRatio} times its size (maxRatio)`);
    }
  }

  private guard(run: () => void): void {
    try {
      if (!this.abort.signal.aborted) run();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.abort.abort(error);
    this.reading?.destroy(error);
  }

  private throwIfFailed(): void {
    this.abort.signal.throwIfAborted();
  }

  private count(): void {
    this.entries++;
    if (this.entries > this.limits.maxEntries) {
      throw invalid(this.path, `holds over ${this.limits.maxEntries} entries (maxEntries)`);
    }
  }

  private refuseIgnored(entry: ReadEntry): void {
    const long = entry.meta && entry.size > maxHeaderBytes;
    throw this.refusal(
      entry,
      long ? `has a header over ${maxHeaderBytes} bytes` : `is of a kind (${entry.type}) that is not read`,
    );
  }

  private refusal(entry: ReadEntry, what: string): ServerError {
    return invalid(this.path, `entry ${JSON.stringify(entry.path)} ${what}`);
  }

  private begin(entry: ReadEntry): void {
    this.count();
    const folder = entry.type === "Directory";
    if (!folder && !fileTypes.includes(entry.type)) {
      throw this.refusal(entry, "is a link or a special file; an archive may hold files and folders only");
    }
    if (((entry.mode ?? 0) & setIdBits) !== 0) throw this.refusal(entry, "has its set-user-id or set-group-id bit set");
    if (!folder && entry.path.endsWith("/")) throw this.refusal(entry, "is a folder by its name or mode only");
    if (entry.size > this.limits.maxFileBytes) {
      throw this.refusal(
        entry,
        `unpacks to ${entry.size} bytes, the limit (maxFileBytes) is ${this.limits.maxFileBytes}`,
      );
    }
    const name = plainName(entry.path);
    // "./" stands for the folder itself.
    if (!folder || (name !== "" && name !== ".")) {
      checkEntryName(this.path, name, this.limits);
      this.names.add(name, folder);
      this.written = this.written.then(() => this.write(entry, join(this.into, name), folder));
      this.written.catch((error: unknown) => this.fail(error));
    }
    if (folder) entry.resume();
  }

  private async write(entry: ReadEntry, target: string, folder: boolean): Promise<void> {
    this.throwIfFailed();
    await mkdir(folder ? target : dirname(target), { recursive: true, mode: 0o700 });
    if (folder) return;
    const file = await createEntry(target);
    this.reading = entry;
    entry.on("error", () => undefined); // what ends it early is thrown to the loop below, or came after its last byte
    try {
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        this.throwIfFailed();
        await writeAll(file, chunk);
      }
    } finally {
      this.reading = undefined;
      await file.close();
    }
  }
}
