/** A configuration file's bytes → text. Pure but for the reading. */
import { readFileSync } from "node:fs";
import { UsageError } from "./usage-error.js";

/** Throws what readFileSync throws, or UsageError naming the line for a file that is no text. */
export function readTextFile(path: string): string {
  return decodeText(path, readFileSync(path));
}

/**
 * UTF-8, with or without a mark at its start; bytes that are none are Latin-1, which Java reads .properties as. `path` is
 * for the message: UTF-16, whose every setting would be passed over as unknown, and anything with a NUL is refused.
 */
export function decodeText(path: string, bytes: Buffer): string {
  const mark = bytes.toString("latin1", 0, 2);
  if (mark === "\xff\xfe" || mark === "\xfe\xff") {
    throw new UsageError(`${path}: the file is UTF-16; save it as UTF-8`);
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    const line = bytes.toString("latin1", 0, nul).split(/\r\n|\r|\n/).length;
    throw new UsageError(`${path}:${line}: a NUL byte; expected a text file in UTF-8`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}
