/**
 * What a worker writes to its standard output and error → lines for the log: cut when too long, without secrets, a
 * bounded number a second. Metric lines go their own way and count against a bound of their own.
 */
import { redactLine } from "../telemetry/secrets.js";

/** A longer line is cut there. */
export const maxLineBytes = 4096;
/** Lines of one worker in one second; the rest is counted. */
export const maxLinesPerSecond = 100;
/** Metric lines of one worker in one second. */
export const maxMetricLinesPerSecond = 10_000;
/** The last lines are kept, for the reason when the worker ends. */
export const tailLines = 40;

const metricMark = "[METRICS]";
/** What the worker says of its own protocol, once per batch. */
const chatter = /^Backend received inference at: \d+$/;

export interface OutputSinks {
  readonly line: (stream: "stdout" | "stderr", text: string) => void;
  /** What stands behind the mark. */
  readonly metric: (text: string) => void;
  /** So many lines were over the bound in the second that has passed. */
  readonly dropped: (lines: number) => void;
  /** Milliseconds, growing. */
  readonly now: () => number;
}

/** Both streams of one worker. */
export class WorkerOutput {
  /** The last lines, oldest first. */
  readonly tail: string[] = [];
  private readonly sinks: OutputSinks;
  private second = -1;
  private lines = 0;
  private metrics = 0;
  private lost = 0;

  constructor(sinks: OutputSinks) {
    this.sinks = sinks;
  }

  /** A function that takes the chunks of one stream. */
  stream(name: "stdout" | "stderr"): (chunk: Uint8Array) => void {
    const cut = new LineCutter((text) => this.take(name, text));
    return (chunk) => cut.push(chunk);
  }

  /** What was said so far is no reason for what comes. */
  forget(): void {
    this.tail.length = 0;
  }

  /** Says what was dropped since it was last said; called at the end. */
  flush(): void {
    if (this.lost > 0) this.sinks.dropped(this.lost);
    this.lost = 0;
  }

  private take(stream: "stdout" | "stderr", text: string): void {
    this.turn();
    const mark = text.indexOf(metricMark);
    if (mark >= 0) {
      if (++this.metrics > maxMetricLinesPerSecond) this.lost++;
      else this.sinks.metric(text.slice(mark + metricMark.length));
      return;
    }
    if (text === "" || chatter.test(text)) return;
    const clean = redactLine(text);
    this.tail.push(clean);
    if (this.tail.length > tailLines) this.tail.shift();
    if (++this.lines > maxLinesPerSecond) this.lost++;
    else this.sinks.line(stream, clean);
  }

  private turn(): void {
    const second = Math.floor(this.sinks.now() / 1000);
    if (second === this.second) return;
    this.second = second;
    this.lines = 0;
    this.metrics = 0;
    this.flush();
  }
}

const lineFeed = 10;

/** Chunks → lines; of a line that is too long only the beginning is kept. */
class LineCutter {
  private readonly take: (text: string) => void;
  private parts: Uint8Array[] = [];
  private kept = 0;
  private over = false;

  constructor(take: (text: string) => void) {
    this.take = take;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, from);
      this.keep(chunk.subarray(from, end < 0 ? chunk.length : end));
      if (end < 0) return;
      this.finish();
      from = end + 1;
    }
  }

  private keep(piece: Uint8Array): void {
    const room = maxLineBytes - this.kept;
    if (piece.length > room) this.over = true;
    if (room <= 0 || piece.length === 0) return;
    // A copy: the chunk is the stream's.
    const part = piece.slice(0, room);
    this.parts.push(part);
    this.kept += part.length;
  }

  private finish(): void {
    const text = Buffer.concat(this.parts).toString().replace(/\r$/, "");
    const cut = this.over ? `${text}… (cut at ${maxLineBytes} bytes)` : text;
    this.parts = [];
    this.kept = 0;
    this.over = false;
    this.take(cut);
  }
}

/**
 * TorchServe's loader takes any ImportError of a handler for a handler of its own that was meant, looks for that, and says
 * of what it finds missing last; what the handler itself could not import stands before.
 */
const secondTry = "ModuleNotFoundError: No module named 'ts.torch_handler.";

/** Why a worker ended, in one line: the last line of its traceback where it left one. */
export function reasonOf(tail: readonly string[]): string {
  const isRaised = (line: string): boolean => /^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning)\b/.test(line);
  const last = tail.findLast(isRaised);
  const first = last?.startsWith(secondTry) === true ? tail.slice(0, tail.lastIndexOf(last)) : [];
  const raised = first.findLast((line) => /^(ImportError|ModuleNotFoundError)\b/.test(line)) ?? last;
  return (raised ?? tail.findLast((line) => !line.startsWith(" ")) ?? "").slice(0, 500);
}
