/** `sconce config show | migrate | schema`: what a server would run with, and where each value comes from. */
import { existsSync, writeFileSync } from "node:fs";
import { readAllowance } from "../config/cgroup.js";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { migrate } from "../config/migrate.js";
import { optionKeys, optionRows, type OptionRow } from "../config/options.js";
import { resolveServe, strangeVariables, type Resolved } from "../config/resolve.js";
import { configSchema } from "../config/schema.js";
import { snapshotsIn } from "../config/snapshot-files.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { showValue, type OptionValue } from "../config/values.js";
import { readTextFile } from "../config/text-file.js";
import { redactSecrets } from "../telemetry/secrets.js";
import { exitCodes } from "./exit-codes.js";
import { redact } from "./redact.js";
import { table } from "./table.js";
import { paint, type Terminal } from "./terminal.js";

const commands = ["show", "migrate", "schema"];

export function config(words: readonly string[], terminal: Terminal): number {
  const [command, ...rest] = words;
  if (command === "show") return show(rest, terminal);
  if (command === "migrate") return migrateFile(rest, terminal);
  if (command !== "schema") {
    const hint = command === undefined ? "" : didYouMean(command, commands);
    throw new UsageError(`config takes ${commands.join(", ")}${hint}`);
  }
  terminal.out(`${JSON.stringify(configSchema(optionKeys.map((key) => optionRows[key])), null, 2)}\n`);
  return exitCodes.ok;
}

function resolve(words: readonly string[], terminal: Terminal): Resolved {
  return resolveServe({
    words,
    env: terminal.env,
    machine: { cores: readAllowance().cores, logToTerminal: terminal.colorErr },
    readFile: readTextFile,
    exists: existsSync,
    newestSnapshot: (folder) => snapshotsIn(folder)[0],
  });
}

/** Takes every option of `serve`. */
function show(words: readonly string[], terminal: Terminal): number {
  const json = words.includes("--json");
  const resolved = resolve(
    words.filter((word) => word !== "--json"),
    terminal,
  );
  const rows = optionKeys.map((key) => {
    const row: OptionRow = optionRows[key];
    return { row, setting: resolved.settings.get(key) };
  });
  if (json) {
    const options = rows.map(({ row, setting }) => [
      row.fileKey,
      { value: shown(row, setting?.value) ?? null, origin: setting?.origin ?? "unset" },
    ]);
    const { files, torchserve } = resolved;
    const notes = resolved.notes.map((note) => ({ ...note, message: redactSecrets(note.message) }));
    const found = { files, torchserve, options: Object.fromEntries(options) as unknown, notes };
    terminal.out(`${JSON.stringify(found, null, 2)}\n`);
    return exitCodes.ok;
  }
  const lines = rows.map(({ row, setting }) => [
    row.fileKey,
    setting === undefined ? "" : showValue(row.kind, shown(row, setting.value) ?? ""),
    setting?.origin ?? "unset",
  ]);
  terminal.out(table(["option", "value", "from"], lines, terminal));
  for (const message of [...resolved.notes.map((note) => note.message), ...strangeVariables(terminal.env)]) {
    terminal.err(`${paint(terminal.colorErr, "yellow", "note:")} ${redactSecrets(message)}\n`);
  }
  return exitCodes.ok;
}

function shown(row: OptionRow, value: OptionValue | undefined): OptionValue | undefined {
  if (row.secret === true && value !== undefined) return "(secret)";
  return redact(value, { home: "", hostname: "" }) as OptionValue | undefined;
}

const migrateFlags: readonly FlagShape[] = [{ flag: "output", takes: "value", short: "o" }];

function migrateFile(words: readonly string[], terminal: Terminal): number {
  const { values, positionals } = parseFlags(words, migrateFlags);
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError("config migrate takes one config.properties");
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const made = migrate(path, text, terminal.env);
  const output = values.get("output");
  if (output === undefined) {
    terminal.out(made);
    return exitCodes.ok;
  }
  try {
    writeFileSync(output, made, { flag: "wx" });
  } catch (error) {
    throw new UsageError(`--output ${output}: ${error instanceof Error ? error.message : String(error)}`);
  }
  terminal.err(`wrote ${output}\n`);
  return exitCodes.ok;
}
