/**
 * grpc-js' calls as plain `RpcCall`s: one end, no answer after it, backpressure in both directions, and the client's
 * leaving told once. grpc-js says "cancelled" after every end, also its own; here it is only told when nothing was
 * answered yet. Thread: the one that listens.
 */

import { type RpcCall, type RpcMetadata, type RpcReader, type RpcStatus, rpcStatus } from "../rpc.js";

/** What is used of grpc-js' Metadata. */
export interface RawMetadata {
  get(name: string): readonly (string | Buffer)[];
  toJSON(): Readonly<Record<string, readonly (string | Buffer)[]>>;
  set(name: string, value: string): void;
}

export interface RawStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: RawMetadata | null;
}

/** What is used of grpc-js' server calls. */
export interface RawCall {
  readonly metadata: RawMetadata;
  getPath(): string;
  /** On the clock of performance.now(); Infinity: none. */
  getDeadline(): number;
  sendMetadata(metadata: RawMetadata): void;
  on(event: "cancelled" | "end" | "drain", listener: () => void): unknown;
}

export interface RawWritable extends RawCall {
  write(answer: object): boolean;
  end(): void;
  emit(event: "error", status: RawStatus): boolean;
}

export interface RawDuplex extends RawWritable {
  on(event: "cancelled" | "end" | "drain", listener: () => void): unknown;
  on(event: "data", listener: (message: object) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export type RawCallback = (status: RawStatus | null, answer?: object) => void;

/** What calls need of their port. */
export interface CallOwner {
  newMetadata(): RawMetadata;
  opened(call: PlainCall): void;
  closed(call: PlainCall, status: RpcStatus): void;
}

/** Status words travel in a header, percent-encoded; clients refuse header blocks of over 8 KiB. */
const maxDetails = 1024;

export abstract class PlainCall implements RpcCall {
  gone: (() => void) | undefined = undefined;
  readonly path: string;
  /** Set for streams of requests. */
  reader: RpcReader | undefined = undefined;
  protected readonly owner: CallOwner;
  private readonly rawCall: RawCall;
  private readonly deadlineMs: number;
  private over = false;

  constructor(raw: RawCall, owner: CallOwner) {
    this.rawCall = raw;
    this.owner = owner;
    this.path = raw.getPath();
    this.deadlineMs = raw.getDeadline();
    raw.on("cancelled", () => this.left());
    owner.opened(this);
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineMs - performance.now());
  }

  header(name: string): string {
    const value = this.rawCall.metadata.get(name)[0];
    return typeof value === "string" ? value : "";
  }

  headers(): Readonly<Record<string, string>> {
    const text = Object.entries(this.rawCall.metadata.toJSON()).flatMap(([name, values]) =>
      name.endsWith("-bin") ? [] : [[name, values.join(", ")] as const],
    );
    return Object.fromEntries(text);
  }

  send(answer: object, metadata?: RpcMetadata): void {
    if (this.over) return;
    if (metadata !== undefined) this.rawCall.sendMetadata(this.fill(metadata));
    this.write(answer);
  }
  end(): void {
    if (this.finish("OK")) this.close();
  }
  fail(status: RpcStatus, message: string, metadata?: RpcMetadata): void {
    if (!this.finish(status)) return;
    // A lone surrogate cannot be percent-encoded: the round trip replaces it.
    const details = Buffer.from(message.slice(0, maxDetails)).toString();
    this.abort({ code: rpcStatus[status], details, metadata: metadata === undefined ? null : this.fill(metadata) });
  }
  /** The server gives the call up: the client is told, and the dialect as if the client had left. */
  abandon(status: RpcStatus, message: string, metadata?: RpcMetadata): void {
    if (this.over) return;
    this.fail(status, message, metadata);
    this.gone?.();
  }
  pause(): void {
    // Only streams of requests have more to read.
  }
  resume(): void {
    // As above.
  }

  protected get isOver(): boolean {
    return this.over;
  }
  protected abstract write(answer: object): void;
  protected abstract close(): void;
  protected abstract abort(status: RawStatus): void;

  private fill(entries: RpcMetadata): RawMetadata {
    const metadata = this.owner.newMetadata();
    for (const [name, value] of entries) metadata.set(name, value);
    return metadata;
  }

  private left(): void {
    const why = this.remainingMs() === 0 ? "DEADLINE_EXCEEDED" : "CANCELLED";
    if (this.finish(why)) this.gone?.();
  }

  private finish(status: RpcStatus): boolean {
    if (this.over) return false;
    this.over = true;
    this.owner.closed(this, status);
    return true;
  }
}

/** One answer. It leaves with its status, so an answer that was sent but never ended is none. */
export class UnaryCall extends PlainCall {
  private readonly callback: RawCallback;
  private answer: object = {};

  constructor(raw: RawCall, callback: RawCallback, owner: CallOwner) {
    super(raw, owner);
    this.callback = callback;
  }
  protected write(answer: object): void {
    this.answer = answer;
  }
  protected close(): void {
    this.callback(null, this.answer);
  }
  protected abort(status: RawStatus): void {
    this.callback(status);
  }
}

/** Any number of answers to one request. */
export class WritingCall extends PlainCall {
  protected readonly raw: RawWritable;
  constructor(raw: RawWritable, owner: CallOwner) {
    super(raw, owner);
    this.raw = raw;
  }
  protected write(answer: object): void {
    this.raw.write(answer);
  }
  protected close(): void {
    this.raw.end();
  }
  protected abort(status: RawStatus): void {
    this.raw.emit("error", status);
  }
}

/** Streams both ways. Nothing is read while the dialect pauses, nor while the client does not take its answers. */
export class DuplexCall extends WritingCall {
  private readonly duplex: RawDuplex;
  private paused = false;
  private full = false;

  constructor(raw: RawDuplex, owner: CallOwner) {
    super(raw, owner);
    this.duplex = raw;
    raw.on("drain", () => {
      this.full = false;
      this.flow();
    });
  }

  /** Delivers what the client sends; `guard` keeps a dialect's fault to this call. */
  read(reader: RpcReader, guard: (work: () => void) => void): void {
    this.reader = reader;
    this.duplex.on("data", (message) => {
      if (!this.isOver) guard(() => reader.message(message));
    });
    this.duplex.on("end", () => {
      if (!this.isOver) guard(() => reader.halfClosed());
    });
  }

  override pause(): void {
    this.paused = true;
    this.flow();
  }
  override resume(): void {
    this.paused = false;
    this.flow();
  }
  protected override write(answer: object): void {
    if (this.raw.write(answer)) return;
    this.full = true;
    this.flow();
  }

  private flow(): void {
    if (this.paused || this.full) this.duplex.pause();
    else this.duplex.resume();
  }
}
