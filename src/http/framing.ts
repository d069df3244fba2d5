/**
 * One pass over a request's headers: collects the few that matter and refuses what leaves the body's length in doubt.
 * The parser below takes the first of two Content-Length fields and any coding that ends in "chunked"; both are ways
 * to smuggle a second request past a proxy, so both are refused here before the body is read. So are two Host fields,
 * of which a proxy may have checked the other.
 * Thread: one reader per HTTP thread; its fields are overwritten by the next request.
 */

import type { RequestDetails } from "../wire.js";
import type { RawRequest } from "./raw.js";

/** Longest client request id that is echoed. */
const maxRequestIdLength = 128;
/** In any case of ASCII's letters: `toLowerCase` makes a k of the Kelvin sign too. */
const exactlyChunked = /^chunked$/i;
const visibleAscii = /^[\x21-\x7e]+$/;
/** A longer length is no number of bytes that any limit here allows. */
const maxLengthDigits = 15;
const bothLengths = "Both Content-Length and Transfer-Encoding: send one of them.";

/** Counts of fields; the parser itself stops at 100 or at UWS_HTTP_MAX_HEADERS_SIZE bytes. */
export class HeaderPass {
  contentType = "";
  contentEncoding = "";
  accept = "";
  authorization = "";
  requestId = "";
  traceparent = "";
  /** The header named at construction. */
  forwarded = "";
  /** -1: no Content-Length. */
  contentLength = -1;
  chunked = false;
  private hosts = 0;
  /** Why the framing cannot be trusted; "" when it can. */
  fault = "";

  private readonly forwardedName: string;

  /** `forwardedName`: of 9 or 15 letters, or "": it is not kept. */
  constructor(forwardedName = "") {
    this.forwardedName = forwardedName;
  }

  /** Made once; forEach calls it per field. */
  private readonly each = (name: string, value: string): void => this.field(name, value);

  read(request: RawRequest): void {
    this.contentType = "";
    this.contentEncoding = "";
    this.accept = "";
    this.authorization = "";
    this.requestId = "";
    this.traceparent = "";
    this.forwarded = "";
    this.contentLength = -1;
    this.chunked = false;
    this.hosts = 0;
    this.fault = "";
    request.forEach(this.each);
  }

  /** Names arrive in lower case. Their lengths tell most of them apart before any comparison. */
  private field(name: string, value: string): void {
    switch (name.length) {
      case 4:
        if (name === "host" && ++this.hosts > 1) this.fault = "Two Host headers: send exactly one.";
        return;
      case 6:
        if (name === "accept") this.accept = this.accept === "" ? value : `${this.accept},${value}`;
        return;
      case 9:
      case 15:
        if (name === this.forwardedName) this.forwarded = this.forwarded === "" ? value : `${this.forwarded},${value}`;
        return;
      case 11:
        if (name === "traceparent") this.traceparent = this.traceparent === "" ? value : `${this.traceparent},${value}`;
        return;
      case 12:
        if (name === "content-type") this.contentType = value;
        else if (name === "x-request-id") this.requestId = safeRequestId(value);
        return;
      case 13:
        // Two of them leave in doubt which counts: together they are no key.
        if (name === "authorization")
          this.authorization = this.authorization === "" ? value : `${this.authorization},${value}`;
        return;
      case 14:
        if (name === "content-length") this.length(value);
        return;
      case 16:
        if (name === "content-encoding") {
          this.contentEncoding = this.contentEncoding === "" ? value : `${this.contentEncoding},${value}`;
        }
        return;
      case 17:
        if (name === "transfer-encoding") this.coding(value);
        return;
      default:
    }
  }

  private length(value: string): void {
    if (this.contentLength >= 0) this.fault = "Two Content-Length headers: send exactly one.";
    else this.contentLength = readLength(value);
    if (this.contentLength < 0) this.fault = "Content-Length is not a number.";
    if (this.chunked) this.fault = bothLengths;
  }

  private coding(value: string): void {
    if (this.chunked || !exactlyChunked.test(value)) {
      this.fault = "Transfer-Encoding must be exactly `chunked`, once.";
    }
    this.chunked = true;
    if (this.contentLength >= 0) this.fault = bothLengths;
  }
}

/** Decimal digits only, -1 for anything else; a loop, because it runs for every request. */
function readLength(value: string): number {
  if (value.length === 0 || value.length > maxLengthDigits) return -1;
  let length = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}

/** A browser asks whether a page may send what it is about to send. */
export function isPreflight(method: string, req: RawRequest): boolean {
  return method === "OPTIONS" && req.getHeader("access-control-request-method") !== "";
}

export const noDetails: RequestDetails = { query: "", headers: {} };

/** What is only kept of a request where somebody asks for it. */
export function detailsOf(request: RawRequest, headers: boolean): RequestDetails {
  const query = request.getQuery() ?? "";
  if (!headers) return query === "" ? noDetails : { query, headers: noDetails.headers };
  return { query, headers: allHeaders(request) };
}

/** Every field of a request; several of one name are joined as RFC 9110 §5.3 has it. */
function allHeaders(request: RawRequest): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  request.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return Object.fromEntries(headers);
}

/** A client's id is echoed only when it is short visible ASCII; anything else is dropped, never logged or reflected. */
export function safeRequestId(value: string): string {
  return value.length <= maxRequestIdLength && visibleAscii.test(value) ? value : "";
}
