/** Checks what a handler says of its answer before any of it reaches a client. Pure. */

import { ServerError } from "../errors.js";
import type { AnswerHead, AnswerHeaders } from "../handlers/handler.js";

/** Status, content type and headers that can be sent as they are. */
export interface CleanHead {
  readonly status: number;
  readonly contentType: string;
  readonly headers: AnswerHeaders | undefined;
}

/** Header fields of one answer. */
export const maxAnswerHeaders = 64;
/** Bytes of all of them together. */
export const maxAnswerHeaderBytes = 16 * 1024;

/** These say how the answer travels, which is the server's affair. */
const transport: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
  "x-sconce-model",
]);
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const printable = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws ServerError bad_output with what is wrong. */
export function cleanHead({ status = 200, contentType, headers }: AnswerHead, isText: boolean): CleanHead {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw bad(`the status ${String(status)}; 200 to 599 can be sent`);
  }
  const type = contentType ?? (isText ? "application/json" : "application/octet-stream");
  if (typeof type !== "string" || !printable.test(type)) throw bad("a content type that is no header value");
  return { status, contentType: type, headers: headers === undefined ? undefined : cleanHeaders(headers) };
}

function cleanHeaders(headers: AnswerHeaders): AnswerHeaders {
  const clean: [string, string][] = [];
  let bytes = 0;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!token.test(lower)) throw bad(`a header called ${JSON.stringify(lower.slice(0, 64))}`);
    if (typeof value !== "string" || !printable.test(value)) throw bad(`a value of ${lower} that is no header value`);
    if (transport.has(lower)) continue;
    clean.push([lower, value]);
    bytes += lower.length + value.length;
  }
  if (clean.length > maxAnswerHeaders) throw bad(`${clean.length} headers; at most ${maxAnswerHeaders} are sent`);
  if (bytes > maxAnswerHeaderBytes) throw bad(`${bytes} bytes of headers; at most ${maxAnswerHeaderBytes} are sent`);
  return clean;
}

function bad(what: string): ServerError {
  return new ServerError("bad_output", `The handler answered with ${what}.`);
}
