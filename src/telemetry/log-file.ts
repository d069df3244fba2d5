/**
 * A log file that never holds up its writer: lines are gathered and written one piece after another in the background,
 * and a full disk or a vanished folder costs lines, not the server. At `maxBytes` the file becomes FILE.1, that one
 * FILE.2, and so on up to `maxFiles`. Main thread; one writer per file.
 */

import { closeSync, mkdirSync, openSync, renameSync, rmSync, fstatSync, write, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface LogFileOptions {
  readonly path: string;
  /** Size at which the file is rotated; one line may go beyond it. */
  readonly maxBytes: number;
  /** Old files that are kept; 0: none. */
  readonly maxFiles: number;
  /** Told when writing fails, once until it works again. */
  readonly onTrouble: (message: string) => void;
}

/** Bytes that may wait for a slow disk; lines beyond it are dropped and counted. */
export const maxPendingBytes = 8 * 1024 * 1024;
/** Lines that come this soon after others go together. */
const lingerMs = 2;

export class LogFile {
  private readonly options: LogFileOptions;
  /** -1: not open. */
  private fd = -1;
  private size = 0;
  private closed = false;
  /** Somebody may have moved the file away: the next piece goes to one of its name. */
  private moved = false;
  private pending: string[] = [];
  private pendingLength = 0;
  private dropped = 0;
  private troubled = false;
  private writing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** When lines were last written. */
  private startedAt = 0;

  /** Throws what node:fs throws when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.options = options;
    this.open();
  }

  /** Whole lines with their line feeds. */
  readonly write = (lines: string): void => {
    if (this.pendingLength + lines.length > maxPendingBytes) {
      this.dropped += linesOf(lines);
      return;
    }
    this.pending.push(lines);
    this.pendingLength += lines.length;
    // After a pause a line goes at once: somebody may look for it.
    this.timer ??= setTimeout(() => this.start(), performance.now() - this.startedAt > lingerMs ? 0 : lingerMs).unref();
  };

  /** From now on lines go to a file of this name, whatever became of the one before. */
  reopen(): void {
    this.moved = true;
    this.timer ??= setTimeout(() => this.start(), 0).unref();
  }

  /** Writes what is left and closes. Lines written later are lost. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.writing;
    this.closeNow();
  }

  /** Same, without waiting: for a process that is about to end. */
  closeNow(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      if (this.fd >= 0) writeSync(this.fd, this.take());
    } catch (error) {
      this.trouble(error);
    }
    this.release();
  }

  private open(): void {
    mkdirSync(dirname(this.options.path), { recursive: true });
    this.fd = openSync(this.options.path, "a", 0o640);
    this.size = fstatSync(this.fd).size;
  }

  private release(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private start(): void {
    this.timer = undefined;
    this.startedAt = performance.now();
    if (this.writing !== undefined || this.closed) return;
    this.writing = this.writeAll().finally(() => (this.writing = undefined));
  }

  private async writeAll(): Promise<void> {
    while (this.pending.length > 0 || this.moved) {
      const lines = this.dropped + this.pending.reduce((sum, each) => sum + linesOf(each), 0);
      const bytes = this.take();
      try {
        if (this.moved) this.release();
        this.moved = false;
        if (this.fd < 0) this.open();
        if (this.isFull(bytes.length)) this.rotate();
        await writeFully(this.fd, bytes);
        this.size += bytes.length;
        this.troubled = false;
      } catch (error) {
        this.trouble(error);
        this.dropped += lines;
        // Opened anew for the next lines: the disk may be another one by then.
        this.release();
      }
    }
  }

  private take(): Buffer {
    const lost = this.dropped === 0 ? "" : `${this.dropped} lines were dropped: the disk was full, away or too slow\n`;
    const bytes = Buffer.from(this.pending.join("") + lost);
    this.pending = [];
    this.pendingLength = 0;
    this.dropped = 0;
    return bytes;
  }

  /** Asks again before it says so: somebody may have emptied the file. */
  private isFull(more: number): boolean {
    const { maxBytes } = this.options;
    if (this.size + more > maxBytes) this.size = fstatSync(this.fd).size;
    return this.size > 0 && this.size + more > maxBytes;
  }

  private rotate(): void {
    const { path, maxFiles } = this.options;
    this.release();
    for (let index = maxFiles; index > 1; index--) move(`${path}.${index - 1}`, `${path}.${index}`);
    if (maxFiles > 0) move(path, `${path}.1`);
    else rmSync(path, { force: true });
    this.open();
  }

  private trouble(error: unknown): void {
    if (this.troubled) return;
    this.troubled = true;
    const why = error instanceof Error ? error.message : String(error);
    this.options.onTrouble(`cannot write ${this.options.path}: ${why}; its lines are lost until it can`);
  }
}

function linesOf(text: string): number {
  return text.split("\n").length - 1;
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // Fewer old files than there may be.
  }
}

function writeFully(fd: number, bytes: Buffer, offset = 0): Promise<void> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
      if (error) reject(error);
      else if (offset + written < bytes.length) resolve(writeFully(fd, bytes, offset + written));
      else resolve();
    });
  });
}
