/**
 * The access log: one line per answer, gathered in memory and handed on in large pieces, so that a request pays for one
 * short text and no system call. A line holds method, path (without its query, which may carry secrets), status, times,
 * sizes, the client's address, the request's id and in JSON its caller's trace; never a body. One per HTTP thread.
 */

import { escapeControls, type LogFormat, torchserveTime } from "./log.js";
import { readTraceparent } from "./traceparent.js";

/** What is known of a request when it is answered. */
export interface Access {
  readonly method: string;
  readonly path: string;
  /** "" without one. */
  readonly requestId: string;
  /** The header as it came; "" without one. */
  readonly traceparent: string;
  /** As `AccessLog.now` gave it when the request's headers had arrived. */
  readonly startedAt: number;
  /** Bytes of the body that arrived. */
  readonly bytes: number;
}

export interface AccessLogOptions {
  /** Only answers with a status of 400 and above. */
  readonly onlyErrors: boolean;
  readonly format: LogFormat;
  /** Gets whole lines with their line feeds. */
  readonly write: (lines: string) => void;
  /** Milliseconds since 1970; default: the clock. */
  readonly clock?: () => number;
}

/** Characters gathered before they are handed on. */
const enough = 32 * 1024;
/** How long a line may wait, in milliseconds. */
const lingerMs = 100;
/** A longer path loses its end. */
const maxPath = 512;
/** Paths whose escaped form is remembered. */
const maxRemembered = 1024;

export class AccessLog {
  private readonly options: AccessLogOptions;
  private readonly clock: () => number;
  private readonly line: (access: Access, status: number, bytes: number, address: string, ms: number) => string;
  private readonly paths = new Map<string, string>();
  private gathered = "";
  private timer: NodeJS.Timeout | undefined;
  private timeMs = 0;
  private timeText = "";

  constructor(options: AccessLogOptions) {
    this.options = options;
    this.clock = options.clock ?? Date.now;
    this.line =
      options.format === "json"
        ? (...args) => this.jsonLine(...args)
        : options.format === "text"
          ? (...args) => this.textLine(...args)
          : (...args) => this.tsLine(...args);
  }

  /** Whether an answer with this status has a line. */
  wants(status: number): boolean {
    return status >= 400 || !this.options.onlyErrors;
  }

  /** Milliseconds of a clock that only goes forward. */
  now(): number {
    return performance.now();
  }

  /** `bytes`: of the answer's body. `address`: "" where the client is gone already. */
  answered(access: Access, status: number, bytes: number, address: string): void {
    const ms = Math.round((performance.now() - access.startedAt) * 1000) / 1000;
    this.gathered += this.line(access, status, bytes, address, ms);
    if (this.gathered.length >= enough) this.flush();
    else this.timer ??= setTimeout(this.flush, lingerMs).unref();
  }

  /** Hands on what was gathered. */
  readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const lines = this.gathered;
    this.gathered = "";
    if (lines !== "") this.options.write(lines);
  };

  private jsonLine(access: Access, status: number, bytes: number, address: string, ms: number): string {
    const id = access.requestId === "" ? "" : `,"requestId":${JSON.stringify(access.requestId)}`;
    const from = address === "" ? "" : `,"address":"${address}"`;
    const caller = access.traceparent === "" ? undefined : readTraceparent(access.traceparent);
    const trace = caller === undefined ? "" : `,"trace_id":"${caller.traceId}"`;
    return `{"time":"${this.time()}","level":"info","message":"access","method":"${escaped(access.method)}","path":"${this.path(access.path)}","status":${status},"ms":${ms},"bytesIn":${access.bytes},"bytesOut":${bytes}${from}${id}${trace}}\n`;
  }

  private textLine(access: Access, status: number, bytes: number, address: string, ms: number): string {
    const id = access.requestId === "" ? "" : ` ${access.requestId}`;
    return `${this.time().slice(11, 23)} ${address === "" ? "-" : address} ${escaped(access.method)} ${this.path(access.path)} ${status} ${ms} ms ${access.bytes} B ${bytes} B${id}\n`;
  }

  /** As TorchServe writes it; its last number is the duration in whole milliseconds. */
  private tsLine(access: Access, status: number, _bytes: number, address: string, ms: number): string {
    return `${this.time()} [INFO ] http ACCESS_LOG - /${address} "${escaped(access.method)} ${this.path(access.path)} HTTP/1.1" ${status} ${Math.round(ms)}\n`;
  }

  /** Text of the present millisecond, made once for it. */
  private time(): string {
    const now = this.clock();
    if (now !== this.timeMs) {
      this.timeMs = now;
      const date = new Date(now);
      this.timeText = this.options.format === "torchserve" ? torchserveTime(date) : date.toISOString();
    }
    return this.timeText;
  }

  private path(path: string): string {
    let text = this.paths.get(path);
    if (text === undefined) {
      text = escaped(path.slice(0, maxPath));
      if (this.paths.size >= maxRemembered) this.paths.clear();
      this.paths.set(path, text);
    }
    return text;
  }
}

/** Text that can stand between quotes in every format and cannot end a line. */
function escaped(text: string): string {
  return escapeControls(JSON.stringify(text).slice(1, -1));
}
