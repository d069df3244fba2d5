/**
 * What every archive format is held to: which names an entry may have, and how its bytes reach the disk. Names are pure;
 * files are made new and never follow a link. Used by zip.ts and tar.ts.
 */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { invalid } from "./failure.js";
import type { ArchiveLimits } from "./limits.js";

/** Rejects with ServerError invalid_model unless the name is relative, plain, short and stays below its folder. */
export function checkEntryName(path: string, name: string, limits: ArchiveLimits): void {
  const fail = (what: string): Error => invalid(path, `entry ${JSON.stringify(name)} ${what}`);
  if (/[\u0000-\u001f\u007f]/.test(name)) throw fail("has a control character in its name");
  if (Buffer.byteLength(name) > limits.maxNameBytes) {
    throw fail(`has a name over ${limits.maxNameBytes} bytes (maxNameBytes)`);
  }
  if (name.startsWith("/") || /^[A-Za-z]:[\\/]/.test(name)) throw fail("has an absolute path for its name");
  if (name.includes("\\")) throw fail("has a backslash in its name");
  const parts = name.replace(/\/$/, "").split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw fail("has an empty, . or .. part in its name");
  if (parts.length > limits.maxDepth) throw fail(`lies deeper than ${limits.maxDepth} folders (maxDepth)`);
}

/** Finds names that are there twice, or would be on a file system that folds case, or that are both file and folder. */
export class EntryNames {
  private readonly seen = new Map<string, { readonly exact: string; readonly folder: boolean; explicit: boolean }>();
  private readonly path: string;
  private readonly limits: ArchiveLimits;

  constructor(path: string, limits: ArchiveLimits) {
    this.path = path;
    this.limits = limits;
  }

  /** Throws ServerError invalid_model for a name that meets one from before. */
  add(name: string, folder: boolean): void {
    const parts = name.replace(/\/$/, "").split("/");
    for (let i = 1; i < parts.length; i++) this.put(parts.slice(0, i).join("/"), true, false);
    this.put(parts.join("/"), folder, true);
  }

  private put(exact: string, folder: boolean, explicit: boolean): void {
    const key = this.limits.distinguishCase ? exact : exact.normalize("NFC").toLowerCase();
    const known = this.seen.get(key);
    if (!known) {
      this.seen.set(key, { exact, folder, explicit });
      return;
    }
    const name = JSON.stringify(exact);
    if (known.exact !== exact)
      throw invalid(this.path, `entries ${JSON.stringify(known.exact)} and ${name} differ by case only`);
    if (known.folder !== folder) throw invalid(this.path, `entry ${name} is both a file and a folder`);
    if (known.explicit && explicit) throw invalid(this.path, `entry ${name} is there twice`);
    known.explicit ||= explicit;
  }
}

/** A new file, readable by its owner only; rejects with EEXIST when anything has that name. */
export function createEntry(target: string): Promise<FileHandle> {
  return open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}

export async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  let written = 0;
  while (written < chunk.length) written += (await file.write(chunk, written)).bytesWritten;
}
