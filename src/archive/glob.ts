/** File name patterns as Python's glob has them: *, ?, [abc], [!a-z], in any part of a path; names with a leading dot only
 * when the pattern has one. Reads folders. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export const hasPattern = (word: string): boolean => /[*?]|\[.*\]/.test(word);

/** Existing paths that match, sorted; a word without a pattern matches itself when it exists. */
export async function glob(pattern: string): Promise<readonly string[]> {
  if (!hasPattern(pattern)) return (await exists(pattern)) ? [pattern] : [];
  const absolute = pattern.startsWith("/");
  let found: string[] = [absolute ? "/" : ""];
  for (const part of pattern.split("/").filter((each) => each !== "" && each !== ".")) {
    const next = await Promise.all(found.map((folder) => step(folder, part)));
    found = next.flat();
  }
  return found.filter((path) => path !== "").sort();
}

async function step(folder: string, part: string): Promise<string[]> {
  if (!hasPattern(part)) {
    const path = join(folder, part);
    return (await exists(path)) ? [path] : [];
  }
  const matches = matcher(part);
  const names = await readdir(folder === "" ? "." : folder).catch(() => []);
  return names
    .filter((name) => matches.test(name) && (part.startsWith(".") || !name.startsWith(".")))
    .map((name) => join(folder, name));
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function matcher(part: string): RegExp {
  const source = part.replace(
    /\[(!?)([^\]]+)\]|[*?]|[\\^$+.()|{}[\]]/g,
    (all, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not === "!" ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
      if (all === "*") return ".*";
      return all === "?" ? "." : `\\${all}`;
    },
  );
  return new RegExp(`^${source}$`, "su");
}
