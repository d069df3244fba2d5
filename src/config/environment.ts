/** SCONCE_* variables → settings, and words for those that are no options. Pure: the environment comes in. */
import type { OptionRow } from "./options.js";
import { refuseOption, type Setting, type Settings } from "./setting.js";
import { didYouMean } from "./suggest.js";
import { fromText } from "./values.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of sconce that are no options. */
const otherVariables =
  /^SCONCE_(SUPERVISED_FD|STARTED_AS|STARTED_FD|TOKEN|CACHE_DIR|BUILD_JOBS|PYTHON|LIBTORCH|TEST_.*|DEMO.*|BENCH.*)$/;

/** An empty variable counts as unset. */
export function readEnvironment(env: Environment, rows: readonly OptionRow[]): Settings {
  const found = new Map<OptionRow, Setting>();
  for (const row of rows) {
    const text = env[row.env];
    if (text === undefined || text === "") continue;
    const value = fromText(row.kind, text);
    if (value === undefined) throw refuseOption(row.env, text, row);
    found.set(row, { value, origin: row.env });
  }
  return found;
}

/** A typo there would otherwise be silent. */
export function strangeNames(env: Environment, rows: readonly OptionRow[]): string[] {
  const known = rows.map((row) => row.env);
  return Object.keys(env)
    .filter((name) => name.startsWith("SCONCE_") && !known.includes(name) && !otherVariables.test(name))
    .map((name) => `the environment variable ${name} is no option of sconce${didYouMean(name, known)}`);
}
