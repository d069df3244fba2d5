/**
 * The structured log: one line per event, JSON or text, on standard error. A line never holds a line break or another
 * control character of its fields (nobody forges a line by a header value), is at most `maxLineBytes` long, and carries
 * no request or response bodies: callers pass names, sizes and reasons. What looks like a secret is taken out of every line.
 * Any thread; each thread has its own.
 */

import { redactSecrets } from "./secrets.js";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  child(fields: LogFields): Log;
  /** The same log for what another program says: its lines have a file of their own, and its name in TorchServe's format. */
  of(source: LogSource): Log;
  /** Levels of their own that models have, for lines with a field `model`; the same for all children. */
  readonly levels: ModelLevels;
}

/** Whose words a line holds. */
export interface LogSource {
  readonly file: "model" | "modelMetrics";
  /** As TorchServe calls the thread that reads them, such as `W-1-mnist_1.0-stdout`. */
  readonly thread: string;
}

/** TorchServe's names for what it logs beside its own words. */
export const loggerNames = { model: "MODEL_LOG", metrics: "TS_METRICS", modelMetrics: "MODEL_METRICS" } as const;

/** The least level that is logged of one model, where it is another than the log's; may change at any time. */
export class ModelLevels {
  /** Of everything else. */
  readonly general: LogLevel;
  private readonly own = new Map<string, LogLevel>();

  constructor(general: LogLevel) {
    this.general = general;
  }

  /** Undefined: the general one again. `known`: whether there is such a model; levels of others are forgotten. */
  set(model: string, level: LogLevel | undefined, known: (model: string) => boolean): void {
    for (const each of [...this.own.keys()]) if (!known(each)) this.own.delete(each);
    if (level === undefined) this.own.delete(model);
    else this.own.set(model, level);
  }

  of(model: unknown): LogLevel {
    return this.own.size > 0 && typeof model === "string" ? (this.own.get(model) ?? this.general) : this.general;
  }
}

/** torchserve: `2026-01-31T12:00:00,000 [INFO ] main sconce - message key=value`, as log4j writes it there. */
export type LogFormat = "json" | "text" | "torchserve";

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Colours in the text format. */
  readonly color?: boolean;
  /** Gets whole lines with their line feed, and whose file they belong to. Default: standard error. */
  readonly write?: (line: string, file: LogSource["file"] | "log") => void;
  readonly now?: () => Date;
}

/** A longer line loses its fields and the end of its message, and says `truncated`. */
export const maxLineBytes = 16_384;

const colors: Readonly<Record<LogLevel, string>> = { debug: "2", info: "36", warn: "33", error: "31" };
/** Control characters that JSON.stringify leaves, and line separators that some viewers break at. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** The text with every control character and line separator as \uXXXX. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Errors become their message and stack; a bigint its digits; a cycle or a throwing getter does not lose the line. */
function toJson(value: unknown): string {
  const replace = (_key: string, each: unknown): unknown => {
    if (typeof each === "bigint" || typeof each === "symbol" || typeof each === "function") return String(each);
    if (each instanceof Error) return plainError(each, 0);
    return each;
  };
  try {
    return escapeControls(JSON.stringify(value, replace));
  } catch {
    return '"(not serialisable)"';
  }
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  const cause = error.cause instanceof Error && depth < 4 ? plainError(error.cause, depth + 1) : error.cause;
  return { message: error.message, stack: error.stack, ...(cause === undefined ? {} : { cause }) };
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const head = `{"time":"${time}","level":"${level}","message":${toJson(message)}`;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `,${toJson(key)}:${toJson(value)}`);
  return `${head}${rest.join("")}}`;
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields, color: boolean): string {
  const word = level.toUpperCase().padEnd(5);
  const shown = color ? `\u001b[${colors[level]}m${word}\u001b[0m` : word;
  return `${time.slice(11, 23)} ${shown} ${escapeControls(message)}${fieldWords(fields)}`;
}

/** The machine's local time as TorchServe's log writes it. */
export function torchserveTime(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 23).replace(".", ",");
}

/** The thread's name says which model and worker it is: another program's line has no fields. */
function torchserveLine(date: Date, level: LogLevel, message: string, fields: LogFields, source?: LogSource): string {
  const who = source === undefined ? "main sconce" : `${source.thread} ${loggerNames[source.file]}`;
  const words = source === undefined ? fieldWords(fields) : "";
  return `${torchserveTime(date)} [${level.toUpperCase().padEnd(5)}] ${escapeControls(who)} - ${escapeControls(message)}${words}`;
}

function fieldWords(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${escapeControls(key)}=${textValue(value)}`)
    .join("");
}

function textValue(value: unknown): string {
  if (value instanceof Error) return toJson(value.message);
  if (typeof value === "string") return /^[\w./:@%+-]+$/.test(value) ? value : toJson(value);
  return toJson(value);
}

/** A log that writes lines of `level` and above. */
export function createLog(options: LogOptions): Log {
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  const now = options.now ?? ((): Date => new Date());
  const levels = new ModelLevels(options.level);

  const format = (level: LogLevel, message: string, fields: LogFields, source?: LogSource): string => {
    const date = now();
    if (options.format === "torchserve") return torchserveLine(date, level, message, fields, source);
    const time = date.toISOString();
    return options.format === "json"
      ? jsonLine(time, level, message, fields)
      : textLine(time, level, message, fields, options.color ?? false);
  };
  const emit = (level: LogLevel, message: string, fields: LogFields, source?: LogSource): void => {
    if (logLevels.indexOf(level) < logLevels.indexOf(levels.of(fields["model"]))) return;
    const file = source?.file ?? "log";
    const line = format(level, message, fields, source);
    if (Buffer.byteLength(line) < maxLineBytes) {
      write(`${redactSecrets(line)}\n`, file);
      return;
    }
    // Escapes take at most 6 bytes per character, so this fits whatever the message holds.
    const head = message.slice(0, Math.floor(maxLineBytes / 8));
    write(`${redactSecrets(format(level, head, { truncated: true }, source))}\n`, file);
  };
  const make = (bound: LogFields, source?: LogSource): Log => {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}) =>
        emit(level, message, { ...bound, ...fields }, source);
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      levels,
      child: (fields) => make({ ...bound, ...fields }, source),
      of: (from) => make(bound, from),
    };
  };
  return make({});
}

/** A log that drops everything, for tests and tools. */
export const silentLog: Log = createLog({ level: "error", format: "json", write: () => undefined });
