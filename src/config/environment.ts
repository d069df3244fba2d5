/** SCONCE_* variables → settings, and words for those that are no options. Pure: the environment comes in. */
import type { OptionRow } from "./options.js";
import { refuseOption, type Setting, type Settings } from "./setting.js";
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";
import { fromText } from "./values.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of sconce that are no options. */
const otherVariables =
  /^SCONCE_(SUPERVISED_FD|STARTED_AS|STARTED_FD|TOKEN|CACHE_DIR|BUILD_JOBS|PYTHON|LIBTORCH|TEST_.*|DEMO.*|BENCH.*)$/;

/** An empty variable counts as unset. `readFile` is asked for the files that a secret's `…_FILE` names. */
export function readEnvironment(
  env: Environment,
  rows: readonly OptionRow[],
  readFile: (path: string) => string,
): Settings {
  const found = new Map<OptionRow, Setting>();
  for (const row of rows) {
    const named = row.secret === true ? fileOf(row.env) : undefined;
    const path = named === undefined ? undefined : env[named];
    const direct = env[row.env];
    if (direct !== undefined && direct !== "") add(found, row, direct, row.env);
    else if (named !== undefined && path !== undefined && path !== "") {
      add(found, row, secretIn(named, path, readFile), named);
    }
  }
  return found;
}

function add(found: Map<OptionRow, Setting>, row: OptionRow, text: string, origin: string): void {
  const value = fromText(row.kind, text);
  if (value === undefined) throw refuseOption(origin, row.secret === true ? "(a secret)" : text, row);
  found.set(row, { value, origin });
}

function fileOf(variable: string): string {
  return `${variable}_FILE`;
}

/** The line break that editors and `echo` put at the end is not part of the secret. */
function secretIn(variable: string, path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path).replace(/\r?\n$/, "");
  } catch (error) {
    throw new UsageError(`${variable}=${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A typo there would otherwise be silent. */
export function strangeNames(env: Environment, rows: readonly OptionRow[]): string[] {
  const known = rows.flatMap((row) => (row.secret === true ? [row.env, fileOf(row.env)] : [row.env]));
  return Object.keys(env)
    .filter((name) => name.startsWith("SCONCE_") && !known.includes(name) && !otherVariables.test(name))
    .map((name) => `the environment variable ${name} is no option of sconce${didYouMean(name, known)}`);
}
