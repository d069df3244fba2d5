/**
 * One request in flight: its plain data, and the callbacks uWebSockets.js needs, bound once when the slot is made.
 * Slots are reused; a slot that was answered before its body had been read is not (its callback may still be called).
 * Thread: the HTTP thread that owns the table.
 */

import type { Exchange, RequestDetails, WireBody, WireHeaders } from "../wire.js";
import type { HeaderPass } from "./framing.js";
import type { RawResponse } from "./raw.js";
import type { Streams } from "./stream.js";

/** Where a request stands. */
export const Phase = { free: 0, reading: 1, discarding: 2, running: 3, writing: 4, streaming: 5, done: 6 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: WireBody;
  readonly headers: WireHeaders | undefined;
  readonly close: boolean;
}

/** What a slot asks of its table. */
export interface SlotOwner {
  onData(slot: Slot, chunk: ArrayBuffer, last: boolean): void;
  onAborted(slot: Slot): void;
  onWritable(slot: Slot, offset: number): boolean;
  writeSmall(slot: Slot): void;
  respond(
    slot: Slot,
    status: number,
    contentType: string,
    body: WireBody,
    headers?: WireHeaders,
    close?: boolean,
  ): void;
  refuse(slot: Slot, status: number, contentType: string, body: WireBody, headers?: WireHeaders, close?: boolean): void;
  release(slot: Slot): void;
  header(name: string): string;
  details(headers: boolean): RequestDetails;
  readonly streams: Streams;
  deadlineIn(ms: number): number;
}

export class Slot implements Exchange {
  method = "";
  path = "";
  query = "";
  contentType = "";
  contentEncoding = "";
  accept = "";
  authorization = "";
  requestId = "";
  traceparent = "";
  firstByte = -1;
  attachment: unknown = undefined;

  /** Undefined once answered or aborted: nothing may touch the response then. */
  res: RawResponse | undefined = undefined;
  phase: Phase = Phase.free;
  /** The table's tick at which the phase is over; 0: none. */
  deadline = 0;
  held = false;
  /** The body was read to its end, so the connection can carry another request. */
  bodyRead = false;
  contentLength = -1;
  chunked = false;
  chunks = 0;
  bytes = 0;
  /** When the headers had arrived, where an access log asks for it. */
  startedAt = 0;
  /** The header of trusted proxies that says whom they speak for; "" without. */
  forwarded = "";
  pending: Answer | undefined = undefined;

  // The answer being written by `writeSmall`.
  status = 200;
  block = "";
  body: WireBody = "";
  extra: WireHeaders | undefined = undefined;
  close = false;
  /** Of a stream: bytes that the client had not taken when it was last looked at; 0: it takes all. */
  unsent = 0;
  /** Of a stream: bytes written so far. */
  sent = 0;
  drained: (() => void) | undefined = undefined;
  turn = 0;
  /** What the headers say, where they are asked after `Dialect.head`. */
  private kept: RequestDetails | undefined = undefined;
  /** Where the body starts in uWebSockets.js' count of written bytes, for large answers. */
  bodyBase = 0;

  readonly dataCallback: (chunk: ArrayBuffer, last: boolean) => void;
  readonly abortCallback: () => void;
  readonly corkCallback: () => void;
  readonly writableCallback: (offset: number) => boolean;

  readonly cookie: number;
  private readonly owner: SlotOwner;

  constructor(cookie: number, owner: SlotOwner) {
    this.cookie = cookie;
    this.owner = owner;
    this.dataCallback = (chunk, last) => owner.onData(this, chunk, last);
    this.abortCallback = () => owner.onAborted(this);
    this.corkCallback = () => owner.writeSmall(this);
    this.writableCallback = (offset) => owner.onWritable(this, offset);
  }

  /** What the headers say. */
  take(headers: HeaderPass): void {
    this.contentType = headers.contentType;
    this.contentEncoding = headers.contentEncoding;
    this.accept = headers.accept;
    this.requestId = headers.requestId;
    this.traceparent = headers.traceparent;
    this.forwarded = headers.forwarded;
    this.authorization = headers.authorization;
    this.contentLength = headers.contentLength;
    this.chunked = headers.chunked;
  }

  header(name: string): string {
    return this.kept === undefined ? this.owner.header(name) : (this.kept.headers[name] ?? "");
  }
  expireAfter(ms: number): void {
    this.deadline = this.owner.deadlineIn(ms);
  }
  hold(): void {
    this.held = true;
  }
  release(): void {
    this.owner.release(this);
  }
  answer(status: number, contentType: string, body: WireBody, headers?: WireHeaders, close?: boolean): void {
    this.owner.respond(this, status, contentType, body, headers, close);
  }
  refuse(status: number, contentType: string, body: WireBody, headers?: WireHeaders, close?: boolean): void {
    this.owner.refuse(this, status, contentType, body, headers, close);
  }

  details(headers: boolean): RequestDetails {
    if (this.kept === undefined) return this.owner.details(headers);
    return headers ? this.kept : { query: this.kept.query, headers: {} };
  }
  keep(): void {
    this.kept = this.owner.details(true);
  }
  get unanswered(): boolean {
    return this.phase === Phase.reading || this.phase === Phase.running;
  }
  get reading(): boolean {
    return this.phase === Phase.reading;
  }
  get streaming(): boolean {
    return this.phase === Phase.streaming;
  }
  stream(status: number, contentType: string, headers?: WireHeaders): boolean {
    return this.owner.streams.start(this, status, contentType, headers);
  }
  write(chunk: Uint8Array): boolean {
    return this.owner.streams.write(this, chunk);
  }
  endStream(): void {
    this.owner.streams.end(this);
  }
  cut(): void {
    this.owner.streams.cut(this);
  }

  /** Forgets the request; what belongs to the slot itself stays. */
  clear(): void {
    this.turn++;
    this.res = undefined;
    this.phase = Phase.free;
    this.deadline = 0;
    this.held = false;
    this.pending = undefined;
    this.body = "";
    this.extra = undefined;
    this.unsent = 0;
    this.drained = undefined;
    this.kept = undefined;
    this.firstByte = -1;
    this.chunks = 0;
    this.bytes = 0;
  }
}
