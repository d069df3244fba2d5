/** TorchServe's flags on `sconce serve`: its other spellings, and those that mean nothing here, each with its answer. Pure. */
import type { FlagShape } from "./flags.js";
import { optionTable } from "./options.js";
import type { Note } from "./setting.js";

interface AnsweredFlag extends FlagShape {
  /** Undefined: what it asks for is so anyway. */
  readonly here: string | undefined;
}

const flags: readonly AnsweredFlag[] = [
  { flag: "foreground", takes: "nothing", here: undefined },
  { flag: "enable-model-api", takes: "nothing", here: "registering at run time is not in this version" },
  { flag: "workflow-store", takes: "value", here: "workflows are not served" },
  { flag: "log-config", takes: "value", here: "the log is set by --log-level and --log-format, not by log4j" },
  { flag: "cpp-log-config", takes: "value", here: "the log is set by --log-level and --log-format" },
  { flag: "plugins-path", takes: "value", here: "Java plugins cannot run here" },
];

/** Without those that are an option here. */
export const answeredFlags = flags.filter(({ flag }) => !optionTable.some((row) => row.flag === flag));

const short: Readonly<Record<string, string>> = {
  "--ncs": "--no-config-snapshots",
  "--disable-token-auth": "--no-token-auth",
  "--dt": "--no-token-auth",
  "--ppath": "--plugins-path",
};

/** The same words with TorchServe's spellings replaced, up to `--`. */
export function reword(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return words.map((word, i) => (end >= 0 && i > end ? word : (short[word] ?? word)));
}

/** What to tell of flags that have no effect. */
export function answersTo(values: ReadonlyMap<string, string>): readonly Note[] {
  return answeredFlags
    .filter(({ flag, here }) => here !== undefined && values.has(flag))
    .map(({ flag, here }) => ({ level: "warn", message: `--${flag} is not used: ${here ?? ""}` }));
}
