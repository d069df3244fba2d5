/** Files and folders that appear whole or not at all: written beside their place under another name, then renamed. */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

/** `path`'s temporary neighbour: hidden, so that nobody takes it for a model. */
export const beside = (path: string): string => join(dirname(path), `.${basename(path)}.${randomUUID()}.incoming`);

/**
 * `write` gets the temporary path and makes a file or folder there; its bytes are on the disk before `path` names it. An
 * existing file is replaced in one step. On failure nothing of it remains.
 */
export async function appear(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await written(path, write, (temporary) => rename(temporary, path));
}

/**
 * `write` makes a folder whose files then go into the folder `path`, each in one step; what else is there stays, but for
 * `gone`.
 */
export async function appearIn(
  path: string,
  write: (temporary: string) => Promise<void>,
  gone: readonly string[],
): Promise<void> {
  await written(path, write, async (temporary) => {
    for (const name of gone) await rm(join(path, name), { force: true });
    for (const entry of await readdir(temporary, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const from = join(entry.parentPath, entry.name);
      const to = join(path, relative(temporary, from));
      await mkdir(dirname(to), { recursive: true });
      await rename(from, to);
    }
    await rm(temporary, { recursive: true });
  });
}

/** The same for a file that must be new: of several writers one succeeds, the others reject with EEXIST. */
export async function appearNew(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await written(path, write, async (temporary) => {
    await link(temporary, path);
    await rm(temporary);
  });
}

async function written(
  path: string,
  write: (temporary: string) => Promise<void>,
  name: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = beside(path);
  try {
    await write(temporary);
    await toDisk(temporary);
    await name(temporary);
    await toDisk(dirname(path));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** fsync of a file or folder. */
async function toDisk(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
