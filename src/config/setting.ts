/** An option's value together with where it came from. Types, and the one form of words for a refusal. */
import type { OptionRow } from "./options.js";
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";
import { allowed, type OptionValue } from "./values.js";

export interface Setting {
  readonly value: OptionValue;
  /** `--port`, `SCONCE_PORT`, `sconce.yaml:3`, `config.properties:4 inference_address`, `default`. */
  readonly origin: string;
}

export type Settings = ReadonlyMap<OptionRow, Setting>;

/** What an operator should know of what was read. */
export interface Note {
  readonly level: "info" | "warn";
  readonly message: string;
}

/** Values longer than this are cut in messages. */
const maxShown = 200;

/** `words` say what is allowed. */
export function refuse(where: string, given: unknown, words: string): UsageError {
  const text = given === undefined ? "nothing" : JSON.stringify(given);
  const shown = text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
  return new UsageError(`${where}: ${shown} is not allowed; expected ${words}`);
}

export function refuseOption(where: string, given: unknown, { kind }: OptionRow): UsageError {
  const near = kind.type === "choice" && typeof given === "string" ? didYouMean(given, kind.choices) : "";
  return refuse(where, given, `${allowed(kind)}${near}`);
}
