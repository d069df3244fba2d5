/**
 * Where lines go: all to the console, or with log folders to the files that TorchServe's users know, or both. Main thread.
 */

import { join } from "node:path";
import { LogFile } from "./log-file.js";

export type SinkName = keyof typeof logFileNames;

/** Each takes whole lines with their line feeds. */
export interface Sinks extends Readonly<Record<SinkName, (lines: string) => void>> {
  /** Files anew: the present ones may have been moved away. */
  reopen(): void;
  /** Writes what waits and closes. */
  close(): Promise<void>;
  /** Same at once, for a process that is ending. */
  closeNow(): void;
}

export interface SinkFolder {
  readonly path: string;
  /** Nobody asked for the files: lines go to the console as well, and a folder that cannot be written is only said. */
  readonly beside: boolean;
}

export interface SinkOptions {
  readonly folder: SinkFolder | undefined;
  /** For the two files of metrics. */
  readonly metricsFolder: SinkFolder | undefined;
  /** Whether lines are in TorchServe's format. */
  readonly torchserve: boolean;
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Where lines without a file go. */
  readonly console: (lines: string) => void;
  /** Told what is wrong with files. */
  readonly onTrouble: (message: string) => void;
}

/** TorchServe's file names. */
export const logFileNames = {
  log: "ts_log.log",
  access: "access_log.log",
  model: "model_log.log",
  metrics: "ts_metrics.log",
  modelMetrics: "model_metrics.log",
} as const;

const ofMetrics: ReadonlySet<SinkName> = new Set(["metrics", "modelMetrics"]);
/** A file of one logger says neither its name nor the level, as TorchServe's. */
const ofOneLogger: ReadonlySet<SinkName> = new Set(["access", "metrics", "modelMetrics"]);
const loggerWords = /^(\S+) \[[A-Z ]+\] \S+ [A-Z_]+ - /gm;

/** A folder in which no file could be opened. */
export class SinkError extends Error {
  readonly metrics: boolean;

  constructor(metrics: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.metrics = metrics;
  }
}

/** Throws SinkError. */
export function openSinks(options: SinkOptions): Sinks {
  const files: LogFile[] = [];
  const writers = {} as Record<SinkName, (lines: string) => void>;
  try {
    for (const name of Object.keys(logFileNames) as SinkName[]) writers[name] = writerOf(name, options, files);
  } catch (error) {
    files.forEach((file) => file.closeNow());
    throw error;
  }
  return {
    ...writers,
    reopen: () => files.forEach((file) => file.reopen()),
    close: async () => {
      await Promise.all(files.map((file) => file.close()));
    },
    closeNow: () => files.forEach((file) => file.closeNow()),
  };
}

function writerOf(name: SinkName, options: SinkOptions, files: LogFile[]): (lines: string) => void {
  const { console, torchserve } = options;
  const folder = ofMetrics.has(name) ? options.metricsFolder : options.folder;
  const file = folder === undefined ? undefined : openFile(name, folder, options);
  if (file === undefined) return console;
  files.push(file);
  const short = torchserve && ofOneLogger.has(name);
  return (lines) => {
    if (folder?.beside === true) console(lines);
    file.write(short ? lines.replace(loggerWords, "$1 - ") : lines);
  };
}

/** Undefined: not there, which was said. */
function openFile(name: SinkName, { path, beside }: SinkFolder, options: SinkOptions): LogFile | undefined {
  const { onTrouble, maxBytes, maxFiles } = options;
  try {
    return new LogFile({ path: join(path, logFileNames[name]), maxBytes, maxFiles, onTrouble });
  } catch (error) {
    const refused = new SinkError(ofMetrics.has(name), error);
    if (!beside) throw refused;
    onTrouble(`no log file: ${refused.message} (--log-folder and --metrics-log-folder name another folder)`);
    return undefined;
  }
}
