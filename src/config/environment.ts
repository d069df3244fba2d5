/** SCONCE_* variables → settings, and words for those that are no options. Pure: the environment comes in. */
import type { OptionRow } from "./options.js";
import { type Note, refuseOption, type Setting, type Settings } from "./setting.js";
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";
import { fromText } from "./values.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of sconce that are no options. */
const otherVariables =
  /^SCONCE_(SUPERVISED_FD|STARTED_AS|STARTED_FD|TOKEN|TOKEN_FILE|CACHE_DIR|BUILD_JOBS|PYTHON|LIBTORCH|TEST_.*|DEMO.*|BENCH.*)$/;

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
    const variable = variableOf(env, row);
    const secret = row.secret === true ? secretOf(env, row.env, readFile) : undefined;
    if (secret) add(found, row, secret.value, secret.origin);
    else if (variable !== undefined) add(found, row, env[variable] ?? "", variable);
  }
  return found;
}

/** A secret's text, from its variable or the file that `…_FILE` names. Both would leave open which of them counts. */
export function secretOf(
  env: Environment,
  variable: string,
  readFile: (path: string) => string,
): { readonly value: string; readonly origin: string } | undefined {
  const file = fileOf(variable);
  const [text = "", path = ""] = [env[variable], env[file]];
  if (text !== "" && path !== "") {
    throw new UsageError(`${variable} and ${file} are both set: a secret comes from one of them; unset the other`);
  }
  if (path !== "") return { value: secretIn(file, path, readFile), origin: file };
  return text === "" ? undefined : { value: text, origin: variable };
}

/** What wins where a secret's `…_FILE` is set and a flag or a file has the secret as well. Strongest layer first. */
export function secretsTwice(layers: readonly Settings[], rows: readonly OptionRow[]): Note[] {
  return rows
    .filter((row) => row.secret)
    .flatMap((row) => {
      const [winner, ...others] = layers.flatMap((layer) => layer.get(row)?.origin ?? []);
      if (winner === undefined || ![winner, ...others].includes(fileOf(row.env)) || others.length === 0) return [];
      return [
        { level: "warn", message: `${winner} wins over ${others.join(" and ")}: the secret is set twice` } as const,
      ];
    });
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
