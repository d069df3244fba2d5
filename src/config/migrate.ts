/** config.properties → the sconce.yaml that does the same, with a comment for every key that has no counterpart. Pure. */
import { Document } from "yaml";
import type { Environment } from "./environment.js";
import { autoDefault, optionKeys, optionRows, type OptionRow } from "./options.js";
import { readTorchserve } from "./torchserve-file.js";
import { showValue, type Kind, type OptionValue } from "./values.js";

/** `path` is for the comments and messages. Throws UsageError as reading the file at start does. */
export function migrate(path: string, text: string, env: Environment): string {
  const { settings, notes } = readTorchserve(path, text, env);
  // Netty's number is none for the machine that the file is for: the default follows the cores.
  const keys = optionKeys.filter((key) => settings.has(optionRows[key]) && key !== "httpThreads");
  const given = keys.map((key) => {
    const row: OptionRow = optionRows[key];
    return [row.fileKey, yamlValue(row.kind, settings.get(row)?.value ?? "")] as const;
  });
  const head = [` Made from ${path} by \`sconce config migrate\`.`];
  if (/\$\$[^$]+\$\$/.test(text)) head.push(" Environment variables ($$NAME$$) were replaced by their present values.");
  const threads = settings.get(optionRows.httpThreads);
  if (threads)
    head.push(` ${threads.origin} is left out: HTTP threads follow the cores, and httpThreads sets their number.`);
  head.push(...notes.map(({ message }) => ` ${message}`));
  const document = new Document(Object.fromEntries([...given, ...implied(settings)]));
  document.commentBefore = head.map((line) => line.replace(/[\r\n]+/g, " ")).join("\n");
  return document.toString({ lineWidth: 0 });
}

/** What only follows from there being a config.properties has to be said once there is none. */
function implied(settings: ReadonlyMap<OptionRow, unknown>): (readonly [string, unknown])[] {
  const machine = { cores: 1, logToTerminal: false };
  return optionKeys.flatMap((key) => {
    const row: OptionRow = optionRows[key];
    const there = autoDefault(key, { ...machine, torchserve: true }, 1);
    const same = there === autoDefault(key, { ...machine, torchserve: false }, 1);
    return settings.has(row) || same || there === undefined ? [] : [[row.fileKey, yamlValue(row.kind, there)] as const];
  });
}

/** As a person would write it: times and sizes with their units. */
function yamlValue(kind: Kind, value: OptionValue): unknown {
  return kind.type === "duration" || kind.type === "size" ? showValue(kind, value) : value;
}
