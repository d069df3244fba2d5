/** Writing answers: status lines, and large bodies piece by piece. Thread: the HTTP thread that owns the slot. */

import { STATUS_CODES } from "node:http";
import type { WireBody } from "../wire.js";
import type { RawResponse } from "./raw.js";
import type { Slot } from "./slot.js";

/** Bodies above this many bytes are handed over as the reader takes them, under the write timeout. */
export const largeBody = 64 * 1024;

const lines = new Map(Object.entries(STATUS_CODES).map(([code, words]) => [Number(code), `${code} ${words}`]));
lines.set(499, "499 Client Closed Request");

/** "404 Not Found". */
export function statusLine(status: number): string {
  return lines.get(status) ?? `${status} `;
}

/**
 * Status line and content type of the usual answer as bytes, written in one call: as text both would be converted for every
 * answer, the header twice. Answers in a row mostly have the same ones.
 */
export class OkHead {
  private block = "";
  private bytes = new ArrayBuffer();

  /** `block`: the content type and any header lines after it. */
  of(block: string): ArrayBuffer {
    if (block !== this.block) {
      this.block = block;
      this.bytes = new TextEncoder().encode(`${statusLine(200)}\r\ncontent-type: ${block}`).buffer;
    }
    return this.bytes;
  }
}

/** Text counts characters: server-made text is ASCII or small. */
export function sizeOf(body: WireBody): number {
  return typeof body === "string" ? body.length : body.byteLength;
}

export function isLarge(body: WireBody): boolean {
  return sizeOf(body) > largeBody;
}

/** The peer's address as text. */
export function addressOf(res: RawResponse): string {
  return Buffer.from(res.getRemoteAddressAsText()).toString("latin1");
}

/** The length as a header of its own: told a length, the library would wait for that many bytes. */
function endHead(slot: Slot, res: RawResponse): void {
  res.writeHeader("content-length", String(Buffer.byteLength(asBytes(slot.body))));
  if (slot.close) res.writeHeader("connection", "close");
  res.endWithoutBody();
}

/** Content type, request id and what else the answer carries. */
export function writeHead(slot: Slot, res: RawResponse): void {
  if (slot.block !== "") res.writeHeader("content-type", slot.block);
  writeFields(slot, res);
}

/** What comes after the content type. */
function writeFields(slot: Slot, res: RawResponse): void {
  if (slot.requestId !== "") res.writeHeader("x-request-id", slot.requestId);
  if (slot.extra !== undefined) for (const [name, value] of slot.extra) res.writeHeader(name, value);
}

/** A body that is written at once. Call it corked: status, head and body leave in one system call. */
export function writeSmall(slot: Slot, res: RawResponse, okHead: OkHead): void {
  if (slot.status === 200 && slot.block !== "") {
    res.writeStatus(okHead.of(slot.block));
    writeFields(slot, res);
  } else {
    if (slot.status !== 200) res.writeStatus(statusLine(slot.status));
    writeHead(slot, res);
  }
  if (slot.method === "HEAD") endHead(slot, res);
  else res.end(slot.body, slot.close);
}

/** Writes the head and as much of the body as the socket takes. True when all is written. */
export function startLarge(slot: Slot, res: RawResponse): boolean {
  const bytes = asBytes(slot.body);
  slot.body = bytes;
  let finished = false;
  res.cork(() => {
    if (slot.status !== 200) res.writeStatus(statusLine(slot.status));
    writeHead(slot, res);
    if (slot.close) res.writeHeader("connection", "close");
    slot.bodyBase = res.getWriteOffset();
    const [, done] = res.tryEnd(bytes, bytes.byteLength);
    finished = done;
  });
  return finished;
}

/** Goes on where the socket stopped. */
export function writeLarge(slot: Slot, res: RawResponse, offset: number): [ok: boolean, done: boolean] {
  const bytes = slot.body as Uint8Array;
  return res.tryEnd(bytes.subarray(offset - slot.bodyBase), bytes.byteLength);
}

function asBytes(body: WireBody): Uint8Array {
  if (typeof body === "string") return Buffer.from(body);
  return body instanceof Uint8Array ? body : new Uint8Array(body);
}
