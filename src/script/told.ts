/** What a handler tells of itself: log lines, counters and gauges, bounded, on their way to main. Thread: the handler's. */
import { inspect } from "node:util";
import type { Log, Metrics, Request } from "../handlers/define.js";
import type { FromGuest } from "./messages.js";

/** Lines of one handler in one second; the rest is counted. */
export const maxLogsPerSecond = 100;
/** Names of counters and gauges of one handler. */
export const maxMetricNames = 64;
const metricName = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;
const maxErrorChars = 4096;

type Say = (message: FromGuest) => void;
type Fields = Readonly<Record<string, unknown>>;
type Level = "debug" | "info" | "warn" | "error";

/** An error with its stack, or whatever else was thrown, in words. Throws nothing. */
export function words(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : inspect(thrown, { depth: 1 });
    return text.slice(0, maxErrorChars);
  } catch {
    return "(an error that cannot be shown)";
  }
}

/** Bytes in memory of just their size: a message carries the whole memory that a view stands in. */
export function bytesWords(body: string | Uint8Array | undefined): string | Uint8Array | undefined {
  if (body === undefined || typeof body === "string") return body;
  return body.byteLength === body.buffer.byteLength && body.constructor === Uint8Array ? body : new Uint8Array(body);
}

export class HandlerLog implements Log {
  private readonly say: Say;
  private readonly now: () => number;
  private second = -1;
  private lines = 0;
  private lost = 0;

  constructor(say: Say, now: () => number = () => performance.now()) {
    this.say = say;
    this.now = now;
  }

  debug(message: string, fields: Fields = {}): void {
    this.write("debug", message, fields);
  }
  info(message: string, fields: Fields = {}): void {
    this.write("info", message, fields);
  }
  warn(message: string, fields: Fields = {}): void {
    this.write("warn", message, fields);
  }
  error(message: string, fields: Fields = {}): void {
    this.write("error", message, fields);
  }

  private write(level: Level, message: unknown, fields: Fields): void {
    const second = Math.floor(this.now() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.lines = 0;
      if (this.lost > 0) this.say(line("warn", "log lines of the handler were left out", { lines: this.lost }));
      this.lost = 0;
    }
    if (++this.lines > maxLogsPerSecond) this.lost++;
    else this.say(line(level, typeof message === "string" ? message : words(message), plain(fields)));
  }
}

/** A handler's log whose lines say which request they are about. */
export class RequestLog implements Log {
  private readonly log: Log;
  private readonly about: Fields;

  constructor(log: Log, { id, span }: Pick<Request, "id" | "span">) {
    this.log = log;
    this.about = { requestId: id, trace_id: span.traceId, span_id: span.spanId };
  }

  debug(message: string, fields: Fields = {}): void {
    this.log.debug(message, { ...this.about, ...fields });
  }
  info(message: string, fields: Fields = {}): void {
    this.log.info(message, { ...this.about, ...fields });
  }
  warn(message: string, fields: Fields = {}): void {
    this.log.warn(message, { ...this.about, ...fields });
  }
  error(message: string, fields: Fields = {}): void {
    this.log.error(message, { ...this.about, ...fields });
  }
}

function line(level: Level, message: string, fields: Fields): FromGuest {
  return { type: "log", level, message, fields };
}

/** Only what survives a message: a function or a proxy among the fields loses no line. */
function plain(fields: Fields): Fields {
  try {
    return JSON.parse(
      JSON.stringify(fields, (_key, each: unknown) => (each instanceof Error ? words(each) : each)),
    ) as Fields;
  } catch {
    return { fields: "(not serialisable)" };
  }
}

export class HandlerMetrics implements Metrics {
  private readonly say: Say;
  private readonly counts = new Map<string, number>();
  private readonly values = new Map<string, number>();
  private readonly names = new Set<string>();

  constructor(say: Say) {
    this.say = say;
  }

  count(name: string, by = 1): void {
    this.check(name);
    if (!(by >= 0 && Number.isFinite(by))) throw new RangeError(`metrics.count: ${by} is nothing to add to a counter`);
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  set(name: string, value: number): void {
    this.check(name);
    if (typeof value !== "number") throw new TypeError(`metrics.set: ${typeof value} is no number`);
    this.values.set(name, value);
  }

  /** Tells what has changed. */
  flush(): void {
    if (this.counts.size === 0 && this.values.size === 0) return;
    this.say({ type: "metrics", counts: [...this.counts], values: [...this.values] });
    this.counts.clear();
    this.values.clear();
  }

  private check(name: string): void {
    if (this.names.has(name)) return;
    if (!metricName.test(name)) {
      throw new RangeError(`metrics: ${JSON.stringify(name)} is no name: letters, digits and _, at most 64`);
    }
    if (this.names.size >= maxMetricNames)
      throw new RangeError(`metrics: a handler has at most ${maxMetricNames} names`);
    this.names.add(name);
  }
}
