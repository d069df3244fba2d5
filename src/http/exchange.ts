/**
 * The requests in flight on one HTTP thread: makes uWebSockets.js' request and response plain and abort-safe.
 *
 *   begin      headers are read and checked; the dialect looks at them
 *   onData     the body arrives: one piece goes straight to the dialect, several through the body store
 *   respond    the answer: small ones in one cork, large ones piece by piece as the reader takes them; see stream.ts
 *              for those whose length is not known
 *   tick       coarse clock for the limits on reading, running and writing
 *
 * A response object is never touched after it was answered or aborted. Thread: one table per HTTP thread.
 */

import { randomUUID } from "node:crypto";
import type { HttpState } from "../metrics/http-counters.js";
import type { AccessLog } from "../telemetry/access-log.js";
import type { BodyStore, Dialect, RequestDetails, WireBody, WireErrorCode, WireHeaders } from "../wire.js";
import { detailsOf, HeaderPass, isPreflight, noDetails } from "./framing.js";
import { type ExchangeLimits, lateBodyWords, tooLargeWords } from "./limits.js";
import { Linger } from "./linger.js";
import { below, TrustedProxies } from "./proxies.js";
import type { RawRequest, RawResponse } from "./raw.js";
import { addressOf, isLarge, OkHead, sizeOf, startLarge, writeLarge, writeSmall } from "./respond.js";
import { Phase, Slot, type SlotOwner } from "./slot.js";
import { type StreamOwner, Streams } from "./stream.js";

/** Resolution of all time limits here. */
const tickMs = 50;
/** The clock stops after this many ticks without a request. */
const idleTicks = 40;

export class ExchangeTable implements SlotOwner, StreamOwner {
  readonly streams = new Streams(this);
  private readonly slots: Slot[] = [];
  private readonly free: Slot[] = [];
  private readonly headers: HeaderPass;
  private readonly proxies: TrustedProxies;
  private readonly linger: Linger;
  private readonly okHead = new OkHead();
  private timer: NodeJS.Timeout | undefined;
  private now = 1;
  private quiet = 0;
  private active = 0;

  /** While the dialect looks at the headers. */
  private request: RawRequest | undefined;
  readonly dialect: Dialect;
  private readonly store: BodyStore;
  readonly limits: ExchangeLimits;
  readonly state: HttpState;
  private readonly onIdle: () => void;
  readonly access: AccessLog | undefined;

  constructor(
    dialect: Dialect,
    store: BodyStore,
    limits: ExchangeLimits,
    state: HttpState,
    onIdle: () => void = () => undefined,
    access?: AccessLog,
  ) {
    this.dialect = dialect;
    this.store = store;
    this.limits = limits;
    this.proxies = new TrustedProxies(limits);
    this.headers = new HeaderPass(this.proxies.header);
    this.linger = new Linger(limits.lingerMs);
    this.state = state;
    this.onIdle = onIdle;
    this.access = access;
  }

  /** Requests that have no complete answer yet. */
  get inFlight(): number {
    return this.active;
  }

  /** A request's headers have arrived. `method` in upper case. */
  begin(res: RawResponse, req: RawRequest, method: string): void {
    const slot = this.acquire(res);
    const headers = this.headers;
    headers.read(req);
    slot.method = method;
    slot.path = req.getUrl();
    slot.query = method === "POST" && this.dialect.readsPostQuery !== true ? "" : (req.getQuery() ?? "");
    slot.take(headers);
    if (slot.requestId === "" && this.limits.makeRequestIds) slot.requestId = randomUUID();
    if (this.access !== undefined) slot.startedAt = this.access.now();
    res.onAborted(slot.abortCallback);
    if (headers.fault !== "") {
      this.refuseFraming(slot, headers.fault);
      return;
    }
    const inside = this.limits.basePath === "" || this.enter(slot);
    if (this.limits.cors !== "" && isPreflight(method, req)) this.refuse(slot, 200, "text/plain", "");
    else if (!inside) this.refuseAs(slot, "not_found", `Paths here begin with ${this.limits.basePath} (--base-path).`);
    else if (headers.contentLength > this.limits.maxRequestSize) this.tooLarge(slot, headers.contentLength);
    else {
      this.request = req;
      this.dialect.head(slot);
      this.request = undefined;
    }
    if (slot.res !== undefined) res.onData(slot.dataCallback);
  }

  /** Takes the prefix off the path; false where it is not there. */
  private enter(slot: Slot): boolean {
    const path = below(slot.path, this.limits.basePath);
    if (path !== undefined) slot.path = path;
    return path !== undefined;
  }

  onData(slot: Slot, chunk: ArrayBuffer, last: boolean): void {
    if (slot.phase === Phase.discarding) {
      this.discard(slot, chunk, last);
      return;
    }
    if (slot.phase !== Phase.reading) return;
    if (last && slot.chunks === 0) {
      this.onePiece(slot, chunk);
      return;
    }
    slot.chunks++;
    slot.bytes += chunk.byteLength;
    if (slot.bytes > this.limits.maxRequestSize) this.tooLarge(slot, slot.bytes);
    else if (slot.chunked && slot.chunks > this.limits.maxChunks)
      this.refuseBody(slot, `The body came in more than ${this.limits.maxChunks} chunks: send fewer, larger ones.`);
    else if (chunk.byteLength > 0) {
      if (slot.firstByte < 0) slot.firstByte = new Uint8Array(chunk, 0, 1)[0] ?? -1;
      this.append(slot, chunk);
    }
    if (!last) return;
    slot.bodyRead = true;
    if (slot.pending !== undefined) this.sendPending(slot);
    else if (slot.reading) this.complete(slot, undefined);
  }

  private append(slot: Slot, chunk: ArrayBuffer): void {
    try {
      this.store.bodyAppend(slot.cookie, chunk);
    } catch (error) {
      this.fail(slot, "out_of_memory", error instanceof Error ? error.message : "No memory for the body.");
    }
  }

  /** The fast path: no copy is made here. */
  private onePiece(slot: Slot, chunk: ArrayBuffer): void {
    slot.bodyRead = true;
    slot.bytes = chunk.byteLength;
    if (slot.bytes > this.limits.maxRequestSize) {
      this.tooLarge(slot, slot.bytes);
      this.sendPending(slot);
      return;
    }
    this.complete(slot, chunk);
  }

  private complete(slot: Slot, chunk: ArrayBuffer | undefined): void {
    slot.phase = Phase.running;
    slot.deadline = 0;
    if (chunk !== undefined && chunk.byteLength > 0 && slot.contentType !== "application/json") {
      slot.firstByte = new Uint8Array(chunk, 0, 1)[0] ?? -1;
    }
    this.dialect.body(slot, chunk);
  }

  private discard(slot: Slot, chunk: ArrayBuffer, last: boolean): void {
    slot.bytes += chunk.byteLength;
    if (last) slot.bodyRead = true;
    if (last || slot.bytes > this.limits.maxDiscard) this.sendPending(slot);
  }

  onAborted(slot: Slot): void {
    slot.res = undefined;
    if (slot.phase === Phase.writing || slot.phase === Phase.streaming) {
      this.streams.lost(slot);
      return;
    }
    this.state.countAnswer(499);
    if (this.access?.wants(499) === true) this.access.answered(slot, 499, 0, "");
    if (slot.chunks > 0 && !slot.held) this.store.bodyDrop(slot.cookie);
    slot.phase = Phase.done;
    slot.pending = undefined;
    this.dialect.aborted(slot);
    this.finish(slot);
  }

  respond(slot: Slot, status: number, contentType: string, body: WireBody, headers?: WireHeaders, close = false): void {
    const res = slot.res;
    if (res === undefined || slot.phase >= Phase.writing) return;
    this.answering(slot, status, contentType, headers);
    slot.body = body;
    slot.close ||= close;
    if (this.access?.wants(status) === true) this.access.answered(slot, status, sizeOf(body), this.clientOf(slot, res));
    if (isLarge(body) && slot.method !== "HEAD") {
      this.respondLarge(slot, res);
      return;
    }
    slot.phase = Phase.done;
    res.cork(slot.corkCallback);
    slot.res = undefined;
    this.finish(slot);
  }

  /** What every answer carries, and the count of it. */
  answering(slot: Slot, status: number, contentType: string, headers: WireHeaders | undefined): void {
    slot.status = status;
    slot.block = this.limits.cors === "" ? contentType : `${contentType}\r\n${this.limits.cors}`;
    slot.extra = headers;
    slot.close = this.state.draining || !slot.bodyRead;
    this.state.countAnswer(status);
  }

  /** The client's address as text, for the access log. */
  clientOf(slot: Slot, res: RawResponse): string {
    return this.proxies.clientOf(addressOf(res), slot.forwarded);
  }

  /** Runs inside cork: uWebSockets.js sends status, headers and body in one system call. */
  writeSmall(slot: Slot): void {
    if (slot.res !== undefined) writeSmall(slot, slot.res, this.okHead);
  }

  private respondLarge(slot: Slot, res: RawResponse): void {
    slot.phase = Phase.writing;
    slot.deadline = this.deadlineIn(this.limits.writeTimeoutMs);
    res.onWritable(slot.writableCallback);
    if (startLarge(slot, res)) this.writtenLarge(slot);
  }

  onWritable(slot: Slot, offset: number): boolean {
    if (slot.phase === Phase.streaming) this.streams.writable(slot);
    if (slot.phase !== Phase.writing || slot.res === undefined) return true;
    const [ok, done] = writeLarge(slot, slot.res, offset);
    if (done) this.writtenLarge(slot);
    return ok;
  }

  private writtenLarge(slot: Slot): void {
    slot.res = undefined;
    slot.phase = Phase.done;
    this.finish(slot);
  }

  refuse(slot: Slot, status: number, contentType: string, body: WireBody, headers?: WireHeaders, close = false): void {
    if (slot.res === undefined || slot.pending !== undefined) return;
    const rest = slot.contentLength < 0 ? 0 : slot.contentLength - slot.bytes;
    if (slot.bodyRead || rest > this.limits.maxDiscard) {
      this.respond(slot, status, contentType, body, headers, close);
      return;
    }
    slot.phase = Phase.discarding;
    slot.bytes = 0;
    slot.pending = { status, contentType, body, headers, close };
  }

  private sendPending(slot: Slot): void {
    const pending = slot.pending;
    slot.pending = undefined;
    if (pending !== undefined) {
      this.respond(slot, pending.status, pending.contentType, pending.body, pending.headers, pending.close);
    }
  }

  header(name: string): string {
    return this.request?.getHeader(name) ?? "";
  }

  details(headers: boolean): RequestDetails {
    return this.request === undefined ? noDetails : detailsOf(this.request, headers);
  }

  release(slot: Slot): void {
    if (!slot.held) return;
    slot.held = false;
    if (slot.phase === Phase.done) this.recycle(slot);
  }

  deadlineIn(ms: number): number {
    return this.now + Math.ceil(ms / tickMs) + 1;
  }

  /** Ends what is still under way; used when a drain has run out of time. Returns how many requests that cut. */
  cutAll(): number {
    let cut = 0;
    for (const slot of this.slots) {
      if (slot.res === undefined) continue;
      cut++;
      if (slot.phase === Phase.writing || slot.phase === Phase.streaming) slot.res.close();
      else this.fail(slot, "draining", "The server stopped before the request was finished (--drain-timeout).");
    }
    return cut;
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private acquire(res: RawResponse): Slot {
    let slot = this.free.pop();
    if (slot === undefined) {
      slot = new Slot(this.slots.length, this);
      this.slots.push(slot);
    }
    slot.res = res;
    slot.phase = Phase.reading;
    slot.bodyRead = false;
    slot.deadline = this.deadlineIn(this.limits.bodyTimeoutMs);
    if (this.active === 0) this.linger.arrived();
    else this.linger.joined();
    this.state.setInFlight(++this.active);
    if (this.timer === undefined) this.startClock();
    return slot;
  }

  /** The client's side is over; the slot is free once the engine has let go of it too. */
  finish(slot: Slot): void {
    this.state.setInFlight(--this.active);
    if (this.active === 0) {
      this.linger.idle();
      this.onIdle();
    }
    slot.body = "";
    slot.phase = Phase.done;
    slot.deadline = 0;
    if (!slot.held) this.recycle(slot);
  }

  private recycle(slot: Slot): void {
    const reusable = slot.bodyRead;
    slot.clear();
    if (reusable) this.free.push(slot);
    else this.replace(slot);
  }

  /** Data may still arrive for a slot that was answered early, so its cookie gets a new object. */
  private replace(slot: Slot): void {
    slot.phase = Phase.done;
    const fresh = new Slot(slot.cookie, this);
    this.slots[slot.cookie] = fresh;
    this.free.push(fresh);
  }

  private fail(slot: Slot, code: WireErrorCode, message: string): void {
    if (slot.chunks > 0 && !slot.held) this.store.bodyDrop(slot.cookie);
    const { status, body, contentType = "application/json" } = this.dialect.error(code, message, slot.path);
    this.respond(slot, status, contentType, body, undefined, true);
  }

  /** Answers once the parser is through with the bytes that it has. */
  private refuseFraming(slot: Slot, fault: string): void {
    // Answered at once, it would take what comes behind for the next request, and leave the connection open.
    slot.phase = Phase.running;
    slot.deadline = 0;
    setImmediate(() => this.fail(slot, "bad_framing", fault));
  }

  private tooLarge(slot: Slot, bytes: number): void {
    this.refuseBody(slot, tooLargeWords(bytes, slot.contentLength >= 0, this.limits));
  }

  private refuseBody(slot: Slot, message: string): void {
    if (slot.chunks > 0) this.store.bodyDrop(slot.cookie);
    this.refuseAs(slot, "payload_too_large", message, true);
  }

  private refuseAs(slot: Slot, code: WireErrorCode, message: string, close = false): void {
    const error = this.dialect.error(code, message, slot.path);
    this.refuse(slot, error.status, error.contentType ?? "application/json", error.body, undefined, close);
  }

  private startClock(): void {
    this.quiet = 0;
    this.timer = setInterval(() => this.tick(), tickMs);
  }

  /** Exposed for tests: one step of the coarse clock. */
  tick(): void {
    this.now++;
    if (this.active > 0) this.quiet = 0;
    else if (++this.quiet > idleTicks) {
      this.stop();
      return;
    }
    if (this.active === 0) return;
    for (const slot of this.slots) if (slot.deadline !== 0 && slot.deadline <= this.now) this.expire(slot);
  }

  private expire(slot: Slot): void {
    slot.deadline = 0;
    if (slot.phase === Phase.running) this.dialect.expired(slot);
    else if (slot.phase === Phase.writing) slot.res?.close();
    else if (slot.phase === Phase.streaming) this.streams.expire(slot);
    else if (slot.phase === Phase.discarding) this.sendPending(slot);
    else if (slot.phase === Phase.reading) {
      this.fail(slot, "request_timeout", lateBodyWords(this.limits));
    }
  }
}
