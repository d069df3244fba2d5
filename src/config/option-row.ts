/** What an option is, and the words its rows are written with. */
import type { Kind, OptionValue } from "./values.js";

export type OptionGroup =
  | "models"
  | "listeners"
  | "authorization"
  | "requests"
  | "limits"
  | "security"
  | "shutdown"
  | "loading"
  | "python"
  | "handlers"
  | "hosting"
  | "logging";

export interface OptionRow {
  /** Without the two dashes. */
  readonly flag: string;
  /** Environment variable: SCONCE_ and the flag in capitals. */
  readonly env: string;
  /** Further variables, read in this order where the first is unset: names that platforms set and sconce does not choose. */
  readonly alsoEnv?: readonly string[];
  /** Key in the YAML file that --config names: the flag in camel case. */
  readonly fileKey: string;
  readonly kind: Kind;
  /** Undefined: unset unless given; "auto": worked out from the machine, see `autoDefault`. */
  readonly fallback: OptionValue | undefined;
  /** What "auto" means, in words. */
  readonly auto?: string;
  readonly group: OptionGroup;
  readonly help: string;
  /** What stands for the value in help, where the kind's own word says too little. */
  readonly placeholder?: string;
  /** Never shown; may also come from the file that the variable `${env}_FILE` names. */
  readonly secret?: boolean;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

export const port: Kind = { type: "integer", min: 0, max: 65_535 };
export const text: Kind = { type: "string" };
export const flag: Kind = { type: "boolean" };

/** `name` is the flag without its dashes; the other names follow from it. */
export function row(
  name: string,
  kind: Kind,
  fallback: OptionRow["fallback"],
  group: OptionGroup,
  help: string,
  more: Partial<Pick<OptionRow, "placeholder" | "auto" | "secret" | "alsoEnv">> = {},
): OptionRow {
  const env = `SCONCE_${name.toUpperCase().replaceAll("-", "_")}`;
  const fileKey = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return { flag: name, env, fileKey, kind, fallback, group, help, ...more };
}

export const count = (min: number, max: number): Kind => ({ type: "integer", min, max });
export const seconds = (min: number, max: number): Kind => ({ type: "duration", minMs: min * 1000, maxMs: max * 1000 });
export const bytes = (min: number, max: number): Kind => ({ type: "size", min, max });
export const choice = (...choices: string[]): Kind => ({ type: "choice", choices });
