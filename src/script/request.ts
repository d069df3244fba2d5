/** A request as hooks see it. Thread: the handler's. */
import { HandlerError, type Log, type Request, type RequestPart, type Span } from "../handlers/define.js";
import type { WireRequest } from "./messages.js";
import { spanOf } from "./span.js";
import { RequestLog } from "./told.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

export class HookRequest implements Request {
  readonly id: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly accept: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly urlPath: string;
  readonly parts: readonly RequestPart[] | undefined;
  readonly explains: boolean;
  state: unknown = undefined;
  readonly wire: WireRequest;
  private controller: AbortController | undefined;
  private aborted = false;
  private readonly handlerLog: Log;
  private ownLog: Log | undefined;
  private ownSpan: Span | undefined;

  constructor(wire: WireRequest, log: Log) {
    this.wire = wire;
    this.handlerLog = log;
    this.id = wire.id;
    this.body = wire.body;
    this.contentType = wire.contentType;
    this.accept = wire.accept;
    this.headers = wire.headers;
    this.parameters = wire.parameters;
    this.urlPath = wire.urlPath;
    this.parts = wire.parts;
    this.explains = wire.explains;
  }

  get span(): Span {
    return (this.ownSpan ??= spanOf(this.wire.span));
  }

  get log(): Log {
    return (this.ownLog ??= new RequestLog(this.handlerLog, this));
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.aborted) this.controller.abort();
    return this.controller.signal;
  }

  get isAborted(): boolean {
    return this.aborted;
  }

  abort(): void {
    this.aborted = true;
    this.controller?.abort();
  }

  text(): string {
    try {
      return utf8.decode(this.body);
    } catch (cause) {
      throw new HandlerError(400, "The body is not UTF-8.", { cause });
    }
  }

  json(): unknown {
    const text = this.text();
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new HandlerError(400, `The body is not JSON: ${why}`, { cause });
    }
  }
}
