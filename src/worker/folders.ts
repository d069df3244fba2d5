/**
 * The folders of the workers of one server, in the machine's folder for temporary files: one per model version, in which
 * its handler runs, and one per worker. A version's folder shows the model's files without being them: what a handler
 * writes or changes there never reaches the cache or the operator's folder. Main thread.
 */
import { chmodSync, chownSync, constants, mkdtempSync, rmSync } from "node:fs";
import { chown, copyFile, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerError } from "../errors.js";
import type { WorkerUser } from "./user.js";

/** A file up to this many bytes is copied; a larger one, which is weights, is linked to. */
export const maxCopiedBytes = 4 * 1024 * 1024;
/** Files and folders of one model; more is refused. */
export const maxShownFiles = 10_000;

export class WorkerFolders {
  /** Whose the folders are; undefined: the server's own user. */
  readonly owner: WorkerUser | undefined;
  private base: string | undefined;

  constructor(owner?: WorkerUser) {
    this.owner = owner;
  }

  /** A new one with nothing in it, for one worker. */
  worker(): string {
    const folder = mkdtempSync(join(this.home(), "w"));
    if (this.owner !== undefined) chownSync(folder, this.owner.uid, this.owner.gid);
    return folder;
  }

  /** A new one that shows the files of `root`. Rejects with ServerError invalid_model when they are too many. */
  async version(root: string): Promise<string> {
    const folder = mkdtempSync(join(this.home(), "v"));
    let left = maxShownFiles;
    const show = async (from: string, into: string): Promise<void> => {
      for (const entry of await readdir(from, { withFileTypes: true })) {
        if (left-- <= 0) throw new ServerError("invalid_model", `${root} holds more than ${maxShownFiles} files`);
        const [source, target] = [join(from, entry.name), join(into, entry.name)];
        if (entry.isDirectory()) {
          await mkdir(target);
          await this.give(target);
          await show(source, target);
        } else if (await showFile(source, target, this.owner !== undefined)) await this.give(target);
      }
    };
    try {
      await this.give(folder);
      await show(root, folder);
    } catch (error) {
      this.remove(folder);
      throw error;
    }
    return folder;
  }

  remove(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
  }

  close(): void {
    if (this.base !== undefined) this.remove(this.base);
    this.base = undefined;
  }

  private async give(path: string): Promise<void> {
    if (this.owner !== undefined) await chown(path, this.owner.uid, this.owner.gid);
  }

  private home(): string {
    if (this.base !== undefined) return this.base;
    this.base = mkdtempSync(join(tmpdir(), "sconce-"));
    // Another user has to get through to its own folders; what they are called it cannot list.
    if (this.owner !== undefined) chmodSync(this.base, 0o711);
    return this.base;
  }
}

/** `always`: large ones are copied too, as another user may not read what a link leads to. False: it is no file. */
async function showFile(source: string, target: string, always: boolean): Promise<boolean> {
  const found = await stat(source);
  if (!found.isFile()) return false;
  if (always || found.size <= maxCopiedBytes) await copyFile(source, target, constants.COPYFILE_FICLONE);
  else await symlink(source, target);
  return true;
}
