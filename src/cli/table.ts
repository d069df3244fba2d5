/** Columns for people: as wide as their cells but for the few long ones, the last one free. Pure. */
import { paint, type Terminal } from "./terminal.js";

/** A longer cell pushes the rest of its own line, not every line's. */
const widest = 40;

/** Ends with a line feed. Control characters in cells are shown as blanks. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, "colorOut">,
): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")));
  const lengths = (i: number): number[] => clean.map((row) => row[i]?.length ?? 0).filter((length) => length <= widest);
  const widths = heads.map((head, i) => Math.max(head.length, ...lengths(i)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === heads.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const head = paint(terminal.colorOut, "bold", line(heads));
  return `${[head, ...clean.map(line)].join("\n")}\n`;
}
