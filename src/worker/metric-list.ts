/** The file of `--worker-metrics`, in TorchServe's form: which metrics of Python handlers are shown. */
import { readFile, stat } from "node:fs/promises";
import { parse } from "yaml";
import { ServerError } from "../errors.js";

export const maxMetricListBytes = 1024 * 1024;
const maxAliases = 1000;
const kinds = ["counter", "gauge", "histogram"] as const;

/** The names under `model_metrics`. Rejects with ServerError invalid_model. */
export async function readMetricList(path: string): Promise<ReadonlySet<string>> {
  try {
    return namesOf(parse(await textOf(path), { schema: "core", maxAliasCount: maxAliases }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServerError("invalid_model", `--worker-metrics ${path}: ${reason}`, { cause: error });
  }
}

async function textOf(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > maxMetricListBytes) throw new Error(`over ${maxMetricListBytes} bytes`);
  return readFile(path, "utf8");
}

function namesOf(list: unknown): ReadonlySet<string> {
  const section = member(list, "model_metrics");
  const names = new Set<string>();
  for (const kind of kinds) {
    const metrics = member(section, kind) ?? [];
    if (!Array.isArray(metrics)) throw new Error(`model_metrics.${kind} is no list`);
    for (const each of metrics as unknown[]) {
      const name = member(each, "name");
      if (typeof name !== "string") throw new Error(`a metric of model_metrics.${kind} has no name`);
      names.add(name);
    }
  }
  return names;
}

function member(from: unknown, key: string): unknown {
  if (from === undefined || from === null) return undefined;
  if (typeof from !== "object" || Array.isArray(from)) throw new Error(`expected a mapping with ${key}`);
  return Object.hasOwn(from, key) ? (from as Readonly<Record<string, unknown>>)[key] : undefined;
}
