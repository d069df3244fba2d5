/**
 * Command-line words → flags and positionals, for any command. Pure. Takes `--flag value`, `--flag=value`, `--flag` and
 * `--no-flag` for booleans, `--` before words that start with a dash; a list takes every word up to the next flag.
 * Throws UsageError for unknown flags (with the nearest known one), missing values and flags given twice.
 */
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";

/** What the parser must know of a flag. */
export interface FlagShape {
  readonly flag: string;
  readonly takes: "nothing" | "value" | "list";
  /** One letter, without its dash. */
  readonly short?: string;
}

export interface ParsedFlags {
  /** Raw text by flag; a flag that takes nothing has "true" or "false". */
  readonly values: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
}

const isFlag = (word: string): boolean => word.length > 1 && word.startsWith("-") && !/^-\d/.test(word);

function unknown(word: string, shapes: readonly FlagShape[]): UsageError {
  const known = shapes.map((each) => each.flag);
  return new UsageError(
    `unknown option ${word}${didYouMean(word.replace(/^-+/, "").replace(/=.*$/s, ""), known, "--")}`,
  );
}

function find(word: string, shapes: readonly FlagShape[]): { shape: FlagShape; negated: boolean } {
  if (!word.startsWith("--")) {
    const shape = shapes.find((each) => each.short === word.slice(1));
    if (!shape) throw unknown(word, shapes);
    return { shape, negated: false };
  }
  const name = word.slice(2).replace(/=.*$/s, "");
  const shape = shapes.find((each) => each.flag === name);
  if (shape) return { shape, negated: false };
  const positive = shapes.find((each) => each.takes === "nothing" && `no-${each.flag}` === name);
  if (!positive) throw unknown(word, shapes);
  return { shape: positive, negated: true };
}

/** Splits words into flags and positionals. */
export function parseFlags(words: readonly string[], shapes: readonly FlagShape[]): ParsedFlags {
  const values = new Map<string, string>();
  const positionals: string[] = [];
  const put = (flag: string, value: string): void => {
    if (values.has(flag)) throw new UsageError(`--${flag} is given twice`);
    values.set(flag, value);
  };

  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") {
      positionals.push(...words.slice(i + 1));
      break;
    }
    if (!isFlag(word)) {
      positionals.push(word);
      continue;
    }
    const { shape, negated } = find(word, shapes);
    const equals = word.indexOf("=");
    const inline = equals < 0 ? undefined : word.slice(equals + 1);
    if (shape.takes === "nothing") {
      if (negated && inline !== undefined) throw new UsageError(`--no-${shape.flag} takes no value`);
      put(shape.flag, negated ? "false" : (inline ?? "true"));
      continue;
    }
    const taken = inline === undefined ? following(words, i + 1, shape.takes === "list") : [];
    i += taken.length;
    if (inline === undefined && taken.length === 0) throw new UsageError(`--${shape.flag} needs a value`);
    put(shape.flag, inline ?? taken.join(shape.takes === "list" ? "," : ""));
  }
  return { values, positionals };
}

/** The words from `start` that belong to a flag before them. */
function following(words: readonly string[], start: number, many: boolean): string[] {
  const taken: string[] = [];
  for (const word of words.slice(start)) {
    if (isFlag(word) || (!many && taken.length === 1)) break;
    taken.push(word);
  }
  return taken;
}
