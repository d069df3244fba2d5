/**
 * A model's URL → a local path: checked against the allow-list, downloaded into the cache under its digest, or found there.
 * A file URL is the file itself. Nothing of a failed download stays on the disk.
 *
 *   const { path, shown } = await fetchModel("https://models.example.com/a.mar#sha256=9f86…", options);
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ServerError } from "../errors.js";
import { allows, type AllowList } from "./allow-list.js";
import { downloadFailure, transfer, type TransferOptions } from "./transfer.js";
import { allowedUrl, type ModelUrl } from "./url.js";

export interface FetchOptions extends TransferOptions {
  /** The folder for downloads: one folder per digest. */
  readonly folder: string;
}

export interface FetchedModel {
  readonly path: string;
  /** The URL without what may be secret in it. */
  readonly shown: string;
  readonly pinned: boolean;
  /** Takes a downloaded file away again: what it holds was refused. */
  readonly discard: () => Promise<void>;
}

/** Rejects with ServerError model_not_found (not allowed, not there), download_failed, out_of_memory, cancelled. */
export async function fetchModel(word: string, options: FetchOptions): Promise<FetchedModel> {
  const source = allowedUrl(word, options.allow);
  const { shown, sha256 } = source;
  const pinned = sha256 !== undefined;
  if (source.url.protocol === "file:") {
    return { path: await localFile(source, options.allow), shown, pinned, discard: () => Promise.resolve() };
  }
  const name = fileName(source);
  const known = sha256 === undefined ? undefined : join(options.folder, sha256, name);
  const path = known !== undefined && (await isWhole(known, sha256)) ? known : await download(source, name, options);
  return { path, shown, pinned, discard: () => rm(dirname(path), { recursive: true, force: true }) };
}

/** The last part of the path, which says what kind of archive it is. */
function fileName({ url, shown }: ModelUrl): string {
  const name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  if (/^[A-Za-z0-9][\w.+-]{0,199}$/.test(name)) return name;
  throw downloadFailure(shown, "its path must end in a file's name such as model.mar");
}

async function download(source: ModelUrl, name: string, options: FetchOptions): Promise<string> {
  const incoming = join(options.folder, `.${randomUUID()}.incoming`);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  try {
    const sha256 = await transfer(source.url, source.shown, join(incoming, name), options);
    checkPin(source, sha256);
    const folder = join(options.folder, sha256);
    // Where the folder is there, so is the file, or another name of the same bytes.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(join(incoming, name), join(folder, name));
    return join(folder, name);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

function checkPin({ sha256: wanted, shown }: ModelUrl, sha256: string): void {
  if (wanted === undefined || wanted === sha256) return;
  throw downloadFailure(shown, `its SHA-256 is ${sha256}, expected ${wanted}`);
}

/** The path behind a file URL, and behind every link in it: what is read must be allowed, not only what is written. */
async function localFile(source: ModelUrl, allow: AllowList): Promise<string> {
  const { url, shown, sha256: wanted } = source;
  const real = await realpath(fileURLToPath(url)).catch(() => undefined);
  if (real === undefined) throw new ServerError("model_not_found", `Model not found at: ${shown}`);
  if (!allows(allow, pathToFileURL(real))) {
    throw new ServerError(
      "model_not_found",
      `Given URL ${shown} does not match any allowed URL(s): it is a link to elsewhere`,
    );
  }
  if (wanted === undefined) return real;
  if (!(await isFile(real))) throw downloadFailure(shown, "a folder has no SHA-256");
  checkPin(source, await sha256Of(real));
  return real;
}

/** Hashed again: the cache survives power cuts, whose victims look like files. */
async function isWhole(path: string, sha256: string | undefined): Promise<boolean> {
  return (await isFile(path)) && (await sha256Of(path)) === sha256;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
