/**
 * Answers of unknown length, chunk by chunk. A client that does not take what was written holds its writer back; one
 * that takes nothing for the write timeout, or whose writer does not heed that, is cut.
 * Thread: the HTTP thread that owns the slot.
 */

import type { HttpState } from "../metrics/http-counters.js";
import type { AccessLog } from "../telemetry/access-log.js";
import type { Dialect, WireHeaders } from "../wire.js";
import type { RawResponse } from "./raw.js";
import { statusLine, writeHead } from "./respond.js";
import { Phase, type Slot } from "./slot.js";

/** Bytes that may wait for one client; beyond it the writer is not heeding `write`, and the stream is cut. */
export const maxUnsent = 16 << 20;

/** What streams need of the table. */
export interface StreamOwner {
  readonly dialect: Dialect;
  readonly limits: { readonly writeTimeoutMs: number };
  readonly state: HttpState;
  readonly access: AccessLog | undefined;
  respond(slot: Slot, status: number, contentType: string, body: string, headers?: WireHeaders): void;
  /** Fills in what every answer carries, and counts it. */
  answering(slot: Slot, status: number, contentType: string, headers: WireHeaders | undefined): void;
  /** The client's address as text, for the access log. */
  clientOf(slot: Slot, res: RawResponse): string;
  finish(slot: Slot): void;
  deadlineIn(ms: number): number;
}

export class Streams {
  private readonly owner: StreamOwner;

  constructor(owner: StreamOwner) {
    this.owner = owner;
  }

  start(slot: Slot, status: number, contentType: string, headers?: WireHeaders): boolean {
    const res = slot.res;
    if (res === undefined || slot.phase !== Phase.running) return false;
    if (slot.method === "HEAD" || status === 204 || status === 304) {
      this.owner.respond(slot, status, contentType, "", headers);
      return false;
    }
    this.owner.answering(slot, status, contentType, headers);
    slot.phase = Phase.streaming;
    slot.deadline = 0;
    slot.sent = 0;
    res.onWritable(slot.writableCallback);
    res.cork(() => {
      if (slot.status !== 200) res.writeStatus(statusLine(slot.status));
      writeHead(slot, res);
      if (slot.close) res.writeHeader("connection", "close");
    });
    return true;
  }

  write(slot: Slot, chunk: Uint8Array): boolean {
    const res = slot.res;
    if (res === undefined || slot.phase !== Phase.streaming || chunk.length === 0) return true;
    const written = { all: true };
    res.cork(() => (written.all = res.write(chunk)));
    slot.sent += chunk.length;
    if (written.all) {
      slot.unsent = 0;
      slot.deadline = 0;
      return true;
    }
    if (slot.unsent === 0) slot.deadline = this.owner.deadlineIn(this.owner.limits.writeTimeoutMs);
    slot.unsent += chunk.length;
    if (slot.unsent <= maxUnsent) return false;
    this.cut(slot);
    return true;
  }

  /** The client took all that was written. */
  writable(slot: Slot): void {
    slot.unsent = 0;
    slot.deadline = 0;
    slot.drained?.();
  }

  end(slot: Slot): void {
    const res = slot.res;
    if (res === undefined || slot.phase !== Phase.streaming) return;
    this.note(slot, this.owner.clientOf(slot, res));
    slot.res = undefined;
    res.cork(() => res.end(undefined, slot.close));
    this.owner.finish(slot);
  }

  /** What follows comes by `lost`. */
  cut(slot: Slot): void {
    if (slot.phase === Phase.streaming) slot.res?.close();
  }

  /** Its time is over: the client's to take what was written, or the writer's to write more. */
  expire(slot: Slot): void {
    if (slot.unsent > 0) this.cut(slot);
    else this.owner.dialect.expired(slot);
  }

  /** The connection is gone before the answer's end: the writer of a stream is told. */
  lost(slot: Slot): void {
    const streaming = slot.phase === Phase.streaming;
    slot.phase = Phase.done;
    this.owner.state.count("writes_cut");
    if (streaming) {
      this.note(slot, "");
      this.owner.dialect.aborted(slot);
    }
    this.owner.finish(slot);
  }

  /** One line of the access log, with what was written until the end. */
  private note(slot: Slot, address: string): void {
    const { access } = this.owner;
    if (access?.wants(slot.status) === true) access.answered(slot, slot.status, slot.sent, address);
  }
}
