/**
 * The named tokens of one server: read from their file at start and again when it changes, kept in memory that every thread
 * checks against. A file that does not read changes nothing. Thread: main.
 */

import { readFileSync, statSync } from "node:fs";
import { type TokenCount, TokenTable } from "../auth/token-table.js";
import { UsageError } from "../config/usage-error.js";
import type { Log } from "../telemetry/log.js";
import { readTokens } from "./token-file.js";

/** A few hundred tokens are a few tens of kilobytes. */
const maxFileBytes = 1024 * 1024;
/** How often the file is looked at. */
const pollMs = 2000;

export class NamedTokens {
  private readonly path: string;
  private readonly log: Log;
  private readonly table = new TokenTable();
  private readonly timer: NodeJS.Timeout;
  private stamp: string;

  /** Throws UsageError naming option, file and fault. */
  constructor(path: string, log: Log) {
    this.path = path;
    this.log = log;
    this.stamp = this.look();
    this.load();
    this.timer = setInterval(() => this.changed(), pollMs).unref();
    process.on("SIGHUP", this.changed);
  }

  /** For `Gate`, on any thread. */
  get memory(): SharedArrayBuffer {
    return this.table.memory;
  }

  counts(): readonly TokenCount[] {
    return this.table.counts();
  }

  close(): void {
    clearInterval(this.timer);
    process.off("SIGHUP", this.changed);
  }

  private readonly changed = (): void => {
    const stamp = this.look();
    if (stamp === this.stamp) return;
    // Said once per state of the file.
    this.stamp = stamp;
    try {
      this.load();
      this.log.info("tokens read again", { file: this.path });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.log.error("the tokens stay as they were", { reason });
    }
  };

  private load(): void {
    const tokens = readTokens(`--tokens-file ${this.path}`, this.text());
    this.table.write(tokens);
  }

  private text(): string {
    try {
      if (statSync(this.path).size > maxFileBytes) throw new Error(`is over ${maxFileBytes} bytes`);
      return readFileSync(this.path, "utf8");
    } catch (error) {
      throw new UsageError(`--tokens-file ${this.path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private look(): string {
    const stats = statSync(this.path, { throwIfNoEntry: false });
    return stats === undefined ? "-" : `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  }
}

/** Undefined when no file is named. */
export function openNamedTokens(path: string | undefined, log: Log): NamedTokens | undefined {
  return path === undefined ? undefined : new NamedTokens(path, log);
}
