/** What a command writes to and reads from: passed in, so that tests see it. Colours only on a terminal, never with NO_COLOR. */

import { isatty } from "node:tty";

export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly colorOut: boolean;
  readonly colorErr: boolean;
  /** Standard input and output are both a person's. */
  readonly interactive: boolean;
  /** Columns of standard output. */
  readonly width: number;
  /** Bytes that wait for whoever reads the pipe. */
  readonly unread: (stream: "out" | "err") => number;
}

const styles = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33" } as const;
export type Style = keyof typeof styles;

export function paint(on: boolean, style: Style, text: string): string {
  return on ? `\u001b[${styles[style]}m${text}\u001b[0m` : text;
}

/** The process's own. A reader that goes away ends no process: what is written then is lost. */
export function realTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) stream.on("error", () => undefined);
  const color = env["NO_COLOR"] === undefined || env["NO_COLOR"] === "";
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    env,
    colorOut: color && isatty(1),
    colorErr: color && isatty(2),
    interactive: isatty(0) && isatty(1),
    width: Math.min(stdout.columns || 100, 120),
    unread: (stream) => (stream === "out" ? stdout : stderr).writableLength,
  };
}

/** Breaks words into lines of at most `width` columns. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
