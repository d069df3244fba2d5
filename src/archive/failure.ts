/** How this folder fails: ServerError invalid_model, its words starting with the file. */
import { ServerError } from "../errors.js";

/** `file: what is wrong`. */
export function invalid(file: string, what: string, cause?: unknown): ServerError {
  const message = what.startsWith(`${file}: `) ? what : `${file}: ${what}`;
  return new ServerError("invalid_model", message, cause === undefined ? {} : { cause });
}

/** An error about the unpacked file `path` in words that name what the operator knows, `shown`. Rethrows. */
export function renamed(error: unknown, path: string, shown: string): never {
  if (!(error instanceof ServerError)) throw error;
  throw new ServerError(error.code, error.message.replaceAll(path, shown), { cause: error });
}

/** Like `invalid`, for what an operating system or parser threw. */
export function invalidBy(file: string, error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  const code = (error as { code?: unknown }).code;
  const message = error instanceof Error ? error.message : String(error);
  if (code === "ENOSPC") {
    return new ServerError("out_of_memory", `${file}: the disk is full while unpacking it`, { cause: error });
  }
  return invalid(file, message, error);
}
