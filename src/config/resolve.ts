/**
 * Flags, environment, --config file and defaults → ServeConfig, in that order of precedence. Reads no file by itself and
 * no global: all three come in as text. Throws UsageError naming option, source, value and what is allowed.
 */
import { isMap, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { parseFlags, type FlagShape } from "./flags.js";
import {
  autoDefault,
  optionKeys,
  optionRows,
  startRows,
  type Machine,
  type OptionKey,
  type OptionRow,
} from "./options.js";
import type { ServeConfig } from "./serve-config.js";
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";
import { allowed, fromText, fromYaml, type OptionValue } from "./values.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Sources {
  /** The words after `serve`. */
  readonly words: readonly string[];
  readonly env: Environment;
  readonly machine: Machine;
  /** Returns the file's text; throws what node:fs throws. */
  readonly readFile: (path: string) => string;
}

export interface Resolved {
  readonly config: ServeConfig;
  /** Build the native engine without asking. */
  readonly yes: boolean;
}

/** A --config file is settings, not data. */
const maxConfigAliases = 100;
export const maxConfigFileBytes = 1024 * 1024;

type Values = Map<OptionRow, OptionValue>;

export function flagShape(row: OptionRow): FlagShape {
  const takes = row.kind.type === "boolean" ? "nothing" : row.kind.type === "list" ? "list" : "value";
  return { flag: row.flag, takes };
}

const allRows: readonly OptionRow[] = [...optionKeys.map((key) => optionRows[key]), ...Object.values(startRows)];

function refuse(where: string, given: unknown, row: OptionRow): UsageError {
  return new UsageError(`${where}: ${JSON.stringify(given)} is not allowed; expected ${allowed(row.kind)}`);
}

function fromFlags(values: ReadonlyMap<string, string>): Values {
  const found: Values = new Map();
  for (const row of allRows) {
    const text = values.get(row.flag);
    if (text === undefined) continue;
    const value = fromText(row.kind, text);
    if (value === undefined) throw refuse(`--${row.flag}`, text, row);
    found.set(row, value);
  }
  return found;
}

/** Variables of sconce that are no options. */
const otherVariables = /^SCONCE_(SUPERVISED_FD|CACHE_DIR|BUILD_JOBS|PYTHON|LIBTORCH|TEST_.*|DEMO.*|BENCH.*)$/;

function fromEnvironment(env: Environment): Values {
  const found: Values = new Map();
  for (const row of allRows) {
    const text = env[row.env];
    if (text === undefined || text === "") continue;
    const value = fromText(row.kind, text);
    if (value === undefined) throw refuse(row.env, text, row);
    found.set(row, value);
  }
  return found;
}

/** Words for variables that look like options and are none: a typo there would otherwise be silent. */
export function strangeVariables(env: Environment): string[] {
  const known = allRows.map((row) => row.env);
  return Object.keys(env)
    .filter((name) => name.startsWith("SCONCE_") && !known.includes(name) && !otherVariables.test(name))
    .map((name) => `the environment variable ${name} is no option of sconce${didYouMean(name, known)}`);
}

function readConfigFile(path: string, readFile: Sources["readFile"]): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new UsageError(`--config ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text.length > maxConfigFileBytes) throw new UsageError(`--config ${path}: over ${maxConfigFileBytes} bytes`);
  return text;
}

function fromFile(path: string, text: string): Values {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "core", lineCounter: lines, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem) throw new UsageError(`${path}: ${problem.message}`);
  const found: Values = new Map();
  if (document.contents === null) return found;
  if (!isMap(document.contents)) throw new UsageError(`${path}: expected "option: value" lines`);
  const plain = plainValues(path, document);
  const rows = allRows.filter((row) => row !== startRows.config);
  for (const pair of document.contents.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "?";
    const at = isScalar(pair.key) ? `${path}:${lines.linePos(pair.key.range[0]).line}` : path;
    const row = rows.find((each) => each.fileKey === key || each.flag === key);
    if (!row)
      throw new UsageError(
        `${at}: unknown option ${JSON.stringify(key)}${didYouMean(
          key,
          rows.map((each) => each.fileKey),
        )}`,
      );
    const given = plain[key];
    const value = fromYaml(row.kind, given);
    if (value === undefined) throw refuse(`${at}: ${key}`, given, row);
    found.set(row, value);
  }
  return found;
}

function plainValues(path: string, document: Document): Readonly<Record<string, unknown>> {
  try {
    return document.toJS({ maxAliasCount: maxConfigAliases }) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What `serve` runs with. */
export function resolveServe(sources: Sources): Resolved {
  const parsed = parseFlags(sources.words, allRows.map(flagShape));
  const flags = fromFlags(parsed.values);
  const env = fromEnvironment(sources.env);
  const configPath = flags.get(startRows.config) ?? env.get(startRows.config);
  const file: Values =
    typeof configPath === "string"
      ? fromFile(configPath, readConfigFile(configPath, sources.readFile))
      : new Map<OptionRow, OptionValue>();
  const given = (row: OptionRow): OptionValue | undefined => flags.get(row) ?? env.get(row) ?? file.get(row);

  const cores = Number(given(optionRows.cores) ?? autoDefault("cores", sources.machine, 1));
  const valueOf = (key: OptionKey): OptionValue | undefined => {
    const row: OptionRow = optionRows[key];
    return (
      given(row) ??
      (row.fallback === "auto" && row.auto !== undefined ? autoDefault(key, sources.machine, cores) : row.fallback)
    );
  };
  const values = Object.fromEntries(optionKeys.map((key) => [key, valueOf(key)]));
  // Every key of ServeConfig has a row (checked by the compiler), and each kind's reader gives the key's type (tested).
  const config = { ...values, positional: parsed.positionals } as unknown as ServeConfig;
  checkTogether(config);
  return { config, yes: given(startRows.yes) === true };
}

/** Whether an address reaches no other machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** What no row can check alone. */
function checkTogether(config: ServeConfig): void {
  if (config.models.length > 0 && config.modelStore === undefined) {
    throw new UsageError(`--models ${config.models.join(" ")} needs --model-store, the folder that the files are in`);
  }
  if (!isLoopback(config.managementHost) && !config.insecure) {
    throw new UsageError(
      `--management-host ${config.managementHost}: other machines could register and remove models there without ` +
        `authorization; use 127.0.0.1, or --insecure if the network is yours`,
    );
  }
}
