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

/**
 * Kubernetes gives every container such variables for a Service called `sconce` or `sconce-…`, SCONCE_PORT among them:
 * an address instead of a number. It is no setting, whoever set it.
 */
const serviceLink = /^(tcp|udp|sctp):\/\/\S+$/;
const serviceVariables = /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/;

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
    const variable = variableOf(env, row);
    if (variable !== undefined) add(found, row, env[variable] ?? "", variable);
    else if (named !== undefined && path !== undefined && path !== "") {
      add(found, row, secretIn(named, path, readFile), named);
    }
  }
  return found;
}

/** The variable that sets an option; undefined when none does. */
export function variableOf(env: Environment, row: OptionRow): string | undefined {
  const isLink = (text: string): boolean => row.env.endsWith("_PORT") && serviceLink.test(text);
  return [row.env, ...(row.alsoEnv ?? [])].find((name) => {
    const text = env[name];
    return text !== undefined && text !== "" && !isLink(text);
  });
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
    .filter((name) => name.startsWith("SCONCE_") && !known.includes(name))
    .filter((name) => !otherVariables.test(name) && !serviceVariables.test(name))
    .map((name) => `the environment variable ${name} is no option of sconce${didYouMean(name, known)}`);
}
