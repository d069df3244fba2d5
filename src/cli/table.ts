/** Columns for people: as wide as their cells, the last one free. Pure. */
import { paint, type Terminal } from "./terminal.js";

/** Ends with a line feed. Control characters in cells are shown as blanks. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Pick<Terminal, "colorOut">,
): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")));
  const widths = heads.map((head, i) => Math.max(head.length, ...clean.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === heads.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const head = paint(terminal.colorOut, "bold", line(heads));
  return `${[head, ...clean.map(line)].join("\n")}\n`;
}
