/**
 * Where lines go: all to standard error, or with a log folder to the files that TorchServe's users know. Main thread.
 */

import { join } from "node:path";
import { LogFile } from "./log-file.js";

/** Each takes whole lines with their line feeds. */
export interface Sinks {
  readonly log: (lines: string) => void;
  readonly access: (lines: string) => void;
  readonly metrics: (lines: string) => void;
  /** Writes what waits and closes. */
  close(): Promise<void>;
  /** Same at once, for a process that is ending. */
  closeNow(): void;
}

export interface SinkOptions {
  readonly folder: string | undefined;
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly standardError: (text: string) => void;
}

/** TorchServe's file names. */
export const logFileNames = { log: "ts_log.log", access: "access_log.log", metrics: "ts_metrics.log" } as const;

/** Throws what node:fs throws when a file cannot be opened. */
export function openSinks(options: SinkOptions): Sinks {
  const { folder, standardError } = options;
  if (folder === undefined) {
    const nothing = (): void => undefined;
    return {
      log: standardError,
      access: standardError,
      metrics: standardError,
      close: () => Promise.resolve(),
      closeNow: nothing,
    };
  }
  const onTrouble = (message: string): void => standardError(`sconce: ${message}\n`);
  const open = (name: string): LogFile => new LogFile({ ...options, path: join(folder, name), onTrouble });
  const files = { log: open(logFileNames.log), access: open(logFileNames.access), metrics: open(logFileNames.metrics) };
  const all = Object.values(files);
  return {
    log: files.log.write,
    access: files.access.write,
    metrics: files.metrics.write,
    close: async () => {
      await Promise.all(all.map((file) => file.close()));
    },
    closeNow: () => all.forEach((file) => file.closeNow()),
  };
}
