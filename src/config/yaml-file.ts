/** sconce.yaml → settings: any option by its file key or its flag. Pure. Throws UsageError with file, line, key, value. */
import { isMap, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import type { OptionRow } from "./options.js";
import { refuseOption, type Setting, type Settings } from "./setting.js";
import { didYouMean } from "./suggest.js";
import { UsageError } from "./usage-error.js";
import { fromYaml } from "./values.js";

/** Settings, not data. */
const maxAliases = 100;

/** `path` is for messages. */
export function readYaml(path: string, text: string, rows: readonly OptionRow[]): Settings {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "core", lineCounter: lines, uniqueKeys: true });
  const problem = document.errors[0];
  if (problem) throw new UsageError(`${path}: ${problem.message}`);
  const found = new Map<OptionRow, Setting>();
  if (document.contents === null) return found;
  if (!isMap(document.contents)) throw new UsageError(`${path}: expected "option: value" lines`);
  const plain = plainValues(path, document);
  for (const pair of document.contents.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "?";
    const at = isScalar(pair.key) ? `${path}:${lines.linePos(pair.key.range[0]).line}` : path;
    const row = rows.find((each) => each.fileKey === key || each.flag === key);
    if (!row) {
      const known = rows.map((each) => each.fileKey);
      throw new UsageError(`${at}: unknown option ${JSON.stringify(key)}${didYouMean(key, known)}`);
    }
    if (found.has(row)) throw new UsageError(`${at}: ${row.fileKey} is given twice`);
    const value = fromYaml(row.kind, plain[key]);
    if (value === undefined) throw refuseOption(`${at}: ${key}`, plain[key], row);
    found.set(row, { value, origin: at });
  }
  return found;
}

function plainValues(path: string, document: Document): Readonly<Record<string, unknown>> {
  try {
    return document.toJS({ maxAliasCount: maxAliases }) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
