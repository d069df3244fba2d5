/**
 * Where archives are unpacked: one folder per content, `models/<sha256>`, made in `incoming/<random>` and renamed when
 * complete, so that a folder under `models` is always whole. Several processes may share it. Main thread, asynchronous.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, lstat, mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerError } from "../errors.js";

/** Streams the file; resolves to its SHA-256 in hex. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Folders that may hold the cache, best first. */
export function cacheCandidates(env: Readonly<Record<string, string | undefined>>, uid: number): readonly string[] {
  const named = env["SCONCE_CACHE_DIR"];
  if (named !== undefined && named !== "") return [named];
  const xdg = env["XDG_CACHE_HOME"];
  const home = env["HOME"];
  return [
    ...(xdg?.startsWith("/") === true ? [join(xdg, "sconce")] : []),
    ...(home?.startsWith("/") === true ? [join(home, ".cache", "sconce")] : []),
    join(tmpdir(), `sconce-${uid}`),
  ];
}

/** The first candidate that can be made and written, and that nobody else owns. */
export async function openCache(candidates: readonly string[], uid: number): Promise<string> {
  const reasons: string[] = [];
  for (const folder of candidates) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.W_OK | constants.X_OK);
      const found = await lstat(folder);
      if (found.uid === uid && found.isDirectory()) return folder;
      reasons.push(`${folder} belongs to another user or is a link`);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ServerError(
    "internal",
    `no folder to unpack archives in (${reasons.join("; ")}); set SCONCE_CACHE_DIR to a folder that can be written`,
  );
}

/** The unpacked folder of this content, made by `fill` (which gets an empty folder) when it is not there yet. */
export async function cachedFolder(
  cache: string,
  sha256: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const final = join(cache, "models", sha256);
  if (await isDirectory(final)) return final;
  const incoming = join(cache, "incoming", randomUUID());
  await mkdir(join(cache, "models"), { recursive: true, mode: 0o700 });
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  try {
    await fill(incoming);
    await rename(incoming, final);
  } catch (error) {
    await rm(incoming, { recursive: true, force: true });
    // Another process may have been first: its folder has the same content.
    if (!(await isDirectory(final))) throw error;
  }
  return final;
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
