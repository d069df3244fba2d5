/**
 * The folders of the workers of one server, in the machine's folder for temporary files: one per model version, in which
 * its handler runs, and one per worker. A version's folder shows the model's files without being them: what a handler
 * writes or changes there never reaches the cache or the operator's folder. Main thread.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { copyFile, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerError } from "../errors.js";

/** A file up to this many bytes is copied; a larger one, which is weights, is linked to. */
export const maxCopiedBytes = 4 * 1024 * 1024;
/** Files and folders of one model; more is refused. */
export const maxShownFiles = 10_000;

export class WorkerFolders {
  private base: string | undefined;

  /** A new one with nothing in it, for one worker. */
  worker(): string {
    return mkdtempSync(join(this.home(), "w"));
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
          await show(source, target);
        } else await showFile(source, target);
      }
    };
    try {
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

  private home(): string {
    return (this.base ??= mkdtempSync(join(tmpdir(), "sconce-")));
  }
}

async function showFile(source: string, target: string): Promise<void> {
  const found = await stat(source);
  if (!found.isFile()) return;
  if (found.size <= maxCopiedBytes) await copyFile(source, target);
  else await symlink(source, target);
}
