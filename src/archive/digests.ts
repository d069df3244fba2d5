/**
 * The list of digests inside an archive, in the format of sha256sum, so that `sha256sum -c MAR-INF/SHA256SUMS` in the
 * unpacked folder checks it too. When an archive has the list, every file must be on it and match, and none may be missing.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256File } from "./cache.js";
import { invalid } from "./failure.js";
import { maxTextBytes } from "./limits.js";

export const digestList = "MAR-INF/SHA256SUMS";

export interface Digest {
  /** Path inside the archive. */
  readonly name: string;
  /** Hex. */
  readonly sha256: string;
}

/** SHA-256 in hex. */
export const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** By name, one line each. */
export function formatDigests(digests: readonly Digest[]): string {
  return [...digests]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
    .join("");
}

/** `file` is for messages. Pure. */
export function parseDigests(file: string, text: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, sha256, name] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/.exec(line) ?? [];
    if (sha256 === undefined || name === undefined) {
      throw invalid(file, `the line ${JSON.stringify(line.slice(0, 100))} is not "<64 hex digits>  <name>"`);
    }
    if (digests.has(name)) throw invalid(file, `lists ${JSON.stringify(name)} twice`);
    digests.set(name, sha256);
  }
  return digests;
}

/** Paths of all files below a folder, relative to it, sorted. */
export async function filesBelow(root: string): Promise<readonly string[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/**
 * Resolves to whether there is a list. Rejects with ServerError invalid_model when a file differs from it, is missing or is
 * not on it; `shown` is what messages call the archive.
 */
export async function verifyDigests(root: string, shown: string): Promise<boolean> {
  const text = await readList(root, shown);
  if (text === undefined) return false;
  const listed = parseDigests(`${shown}: ${digestList}`, text);
  const there = (await filesBelow(root)).filter((name) => name !== digestList);
  const unlisted = there.find((name) => !listed.has(name));
  if (unlisted !== undefined) throw invalid(shown, `${JSON.stringify(unlisted)} is not in ${digestList}`);
  const missing = [...listed.keys()].find((name) => !there.includes(name));
  if (missing !== undefined) throw invalid(shown, `${JSON.stringify(missing)} is in ${digestList}, but not there`);
  for (const name of there) {
    if ((await sha256File(join(root, name))) !== listed.get(name)) {
      throw invalid(shown, `${JSON.stringify(name)} is not what was packed: its SHA-256 differs from ${digestList}`);
    }
  }
  return true;
}

async function readList(root: string, shown: string): Promise<string | undefined> {
  const bytes = await readFile(join(root, digestList)).catch((error: unknown) => {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  });
  if (bytes !== undefined && bytes.length > maxTextBytes) {
    throw invalid(shown, `${digestList} has ${bytes.length} bytes, the limit (maxTextBytes) is ${maxTextBytes}`);
  }
  return bytes?.toString("utf8");
}
