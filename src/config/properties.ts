/**
 * Java's .properties syntax as settings with the lines they stand on: continuation lines, escapes (\t, \u00e9),
 * `=`, `:` or blanks between key and value. The only file that knows the library. Pure.
 */
import { Pair, parseLines, stringify } from "dot-properties";

export interface Property {
  readonly key: string;
  /** Without blanks at its ends. */
  readonly value: string;
  /** From 1; the first of a continued setting's lines. */
  readonly line: number;
  /** A `\\u` in it without four hexadecimal digits, which Java refuses. */
  readonly badEscape?: string;
}

/** In the order of the file; a key that stands twice is there twice (Java takes the last). */
export function parseProperties(text: string): readonly Property[] {
  const starts = lineStarts(text);
  const properties: Property[] = [];
  for (const node of parseLines(text, true)) {
    if (!(node instanceof Pair)) continue;
    const [badEscape] =
      /(?<=(?<!\\)(?:\\\\)*)\\u(?![0-9a-fA-F]{4}).{0,4}/.exec(text.slice(node.range[0], node.range[3])) ?? [];
    const line = lineOf(starts, node.range[0]);
    const bad = badEscape === undefined ? {} : { badEscape };
    properties.push({ key: node.key, value: node.value.trim(), line, ...bad });
  }
  return properties;
}

/** One line per key, as Java reads it back. */
export function formatProperties(pairs: readonly (readonly [key: string, value: string])[]): string {
  const lines = pairs.map(([key, value]) => [key, value]);
  return `${stringify(lines, { keySep: "=", lineWidth: null })}\n`;
}

/** Offsets at which lines begin. */
function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (const found of text.matchAll(/\r\n|\r|\n/g)) starts.push(found.index + found[0].length);
  return starts;
}

function lineOf(starts: readonly number[], offset: number): number {
  const after = starts.findIndex((start) => start > offset);
  return after < 0 ? starts.length : after;
}
