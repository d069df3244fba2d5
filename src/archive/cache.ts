/**
 * Where archives are unpacked: one folder per content, `models/<sha256>`, made in `incoming/<random>` and renamed when
 * complete, so that a folder under `models` is always whole. Several processes may share it. Main thread, asynchronous.
 */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, lstatSync, renameSync } from "node:fs";
import { access, constants, lstat, mkdir, rename, rm, utimes } from "node:fs/promises";
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

/** Something on the disk while it is decided whether what is in it is accepted. One of both is called, once. */
export interface Claim {
  keep(): void;
  /** It was refused: what was made for it goes. */
  drop(why: unknown): Promise<void>;
}

/** An unpacked folder. One that was dropped stays where it was there before, or somebody else took it up. */
export interface FolderClaim extends Claim {
  readonly folder: string;
}

/** All that one load has on the disk. */
export class Claims {
  private readonly claims: Claim[] = [];
  private dropped: { readonly why: unknown } | undefined;

  /** What comes after everything was dropped, from a call that nobody waited for any more, goes at once. */
  add(claim: Claim): void {
    if (this.dropped) void claim.drop(this.dropped.why);
    else this.claims.push(claim);
  }

  keep(): void {
    for (const claim of this.claims.splice(0)) claim.keep();
  }

  async drop(why: unknown): Promise<void> {
    this.dropped = { why };
    await Promise.all(this.claims.splice(0).map((claim) => claim.drop(why)));
  }
}

/** Folders of this process that are under decision. */
interface Undecided {
  claims: number;
  /** Modification time in ms when it was made here and nobody accepted it yet; else undefined. */
  madeAt: number | undefined;
}
const undecided = new Map<string, Undecided>();

/** The unpacked folder of this content, made by `fill` (which gets an empty folder) when it is not there yet. */
export async function cachedFolder(
  cache: string,
  sha256: string,
  fill: (folder: string) => Promise<void>,
): Promise<FolderClaim> {
  const folder = join(cache, "models", sha256);
  const state = undecided.get(folder) ?? { claims: 0, madeAt: undefined };
  undecided.set(folder, state);
  state.claims++;
  const release = (): boolean => {
    state.claims--;
    if (state.claims === 0) undecided.delete(folder);
    return state.claims === 0;
  };
  try {
    if (await makeFolder(cache, folder, fill)) state.madeAt = (await lstat(folder)).mtimeMs;
    // For other processes: it is in use, and not to be taken away.
    else if (state.madeAt === undefined) await utimes(folder, new Date(), new Date()).catch(() => undefined);
  } catch (error) {
    release();
    throw error;
  }
  return {
    folder,
    keep: () => {
      state.madeAt = undefined;
      release();
    },
    drop: async () => {
      if (release() && state.madeAt !== undefined) await discard(cache, folder, state.madeAt);
    },
  };
}

/** Whether it was made; it is there in any case. */
async function makeFolder(cache: string, final: string, fill: (folder: string) => Promise<void>): Promise<boolean> {
  if (await isDirectory(final)) return false;
  const incoming = join(cache, "incoming", randomUUID());
  await mkdir(join(cache, "models"), { recursive: true, mode: 0o700 });
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  try {
    await fill(incoming);
    await rename(incoming, final);
    return true;
  } catch (error) {
    await rm(incoming, { recursive: true, force: true });
    // Another process may have been first: its folder has the same content.
    if (!(await isDirectory(final))) throw error;
    return false;
  }
}

/** Out of sight at once, before anything else of this process can look: then removed. */
async function discard(cache: string, folder: string, madeAt: number): Promise<void> {
  const away = join(cache, "incoming", randomUUID());
  try {
    if (lstatSync(folder).mtimeMs !== madeAt) return;
    renameSync(folder, away);
  } catch {
    return;
  }
  await rm(away, { recursive: true, force: true });
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
