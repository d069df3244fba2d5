/** Inflates compressed bodies under the request limit and a ratio cap. Work happens on libuv's pool. */

import { gunzip, inflate, type InputType, type ZlibOptions } from "node:zlib";
import { ServerError } from "../errors.js";

export type Encoding = "identity" | "gzip" | "deflate" | "unsupported";

export interface InflateLimits {
  /** Bytes after inflating; the option is --max-request-size. */
  readonly maxRequestSize: number;
  /** Inflated bytes per compressed byte; the option is --max-inflate-ratio. */
  readonly maxInflateRatio: number;
}

/** `header` is the value of Content-Encoding; one coding only. */
export function encodingOf(header: string): Encoding {
  switch (header.trim().toLowerCase()) {
    case "":
    case "identity":
      return "identity";
    case "gzip":
    case "x-gzip":
      return "gzip";
    case "deflate":
      return "deflate";
    default:
      return "unsupported";
  }
}

/** Tiny bodies may well inflate more than the ratio; this many bytes are always allowed. */
const ratioFloor = 64 * 1024;

export async function inflateBody(
  bytes: Uint8Array,
  encoding: "gzip" | "deflate",
  limits: InflateLimits,
): Promise<Uint8Array> {
  const byRatio = Math.max(ratioFloor, bytes.length * limits.maxInflateRatio);
  const most = Math.min(limits.maxRequestSize, byRatio);
  try {
    return await unpack(encoding === "gzip" ? gunzip : inflate, bytes, { maxOutputLength: most });
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "ERR_BUFFER_TOO_LARGE")
      throw tooLarge(limits, most < limits.maxRequestSize);
    throw new ServerError("bad_request", `The body is not valid ${encoding} data.`, { cause });
  }
}

function tooLarge(limits: InflateLimits, byRatio: boolean): ServerError {
  const why = byRatio
    ? `grows more than ${limits.maxInflateRatio} times (--max-inflate-ratio)`
    : `is over the ${limits.maxRequestSize} bytes of --max-request-size`;
  return new ServerError("payload_too_large", `The inflated body ${why}.`);
}

type Unpack = (bytes: InputType, options: ZlibOptions, done: (error: Error | null, result: Buffer) => void) => void;

function unpack(how: Unpack, bytes: Uint8Array, options: ZlibOptions): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    how(bytes, options, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
