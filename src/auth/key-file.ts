/** TorchServe's key_file.json: written whole or not at all, mode 0600, through no link. */
import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

export interface KeyEntry {
  readonly key: string;
  /** ISO instant; absent: never. */
  readonly "expiration time"?: string;
}

export interface KeyFile {
  readonly management?: KeyEntry;
  readonly inference?: KeyEntry;
  readonly API?: KeyEntry;
}

export const defaultKeyFile = "key_file.json";

/** Throws what node:fs throws; nothing is left beside the file then. */
export function writeKeyFile(path: string, content: KeyFile): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { flag: "wx", mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Undefined when there is none that can be read. */
export function readKeyFile(path: string): KeyFile | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof read === "object" && read !== null ? read : undefined;
  } catch {
    return undefined;
  }
}

export function removeKeyFile(path: string): void {
  rmSync(path, { force: true });
}
