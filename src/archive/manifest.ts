/**
 * MAR-INF/MANIFEST.json → typed values; every path field stays inside the archive. Pure, but for `existing`.
 * Format: TorchServe's model archiver.
 */
import { lstat } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { Lineage } from "../types.js";
import { invalid } from "./failure.js";
import { parseLineage } from "./lineage.js";

export interface Manifest {
  readonly modelName?: string;
  readonly modelVersion?: string;
  readonly handler?: string;
  readonly serializedFile?: string;
  readonly modelFile?: string;
  readonly requirementsFile?: string;
  readonly configFile?: string;
  readonly runtime?: Runtime;
  /** sconce's own. */
  readonly lineage?: Lineage;
}

/** TorchServe's words for what runs the handler. */
export const runtimes = ["python", "python3", "LSP"] as const;
export type Runtime = (typeof runtimes)[number];

const textFields = ["modelName", "handler", "serializedFile", "modelFile", "requirementsFile", "configFile"] as const;
const pathFields = ["serializedFile", "modelFile", "requirementsFile", "configFile"] as const;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `file` is for messages. */
export function parseManifest(file: string, text: string): Manifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw invalid(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const model = isObject(parsed) ? parsed["model"] : undefined;
  if (!isObject(model)) throw invalid(file, 'expected an object with an object "model" in it');
  const lineage = parseLineage(file, (parsed as Readonly<Record<string, unknown>>)["lineage"]);
  const found: Record<string, string> = { ...runtimeOf(file, parsed) };
  for (const field of textFields) {
    const value = model[field];
    if (value === undefined || value === null || value === "") continue;
    if (typeof value !== "string") throw invalid(file, `"model.${field}" must be text, got ${JSON.stringify(value)}`);
    found[field] = value;
  }
  const version = model["modelVersion"];
  if (typeof version === "string" || typeof version === "number") found["modelVersion"] = String(version);
  else if (version !== undefined && version !== null) throw invalid(file, '"model.modelVersion" must be text');
  for (const field of pathFields) {
    const path = found[field];
    if (path !== undefined) insidePath(file, `model.${field}`, path);
  }
  // A handler is a built-in's name or a file of the archive, perhaps with ":function" behind it: "h:handle" is no drive.
  if (found["handler"] !== undefined) insidePath(file, "model.handler", found["handler"].replace(/:\w+$/, ""));
  return { ...found, ...(lineage === undefined ? {} : { lineage }) };
}

function runtimeOf(file: string, parsed: unknown): { readonly runtime?: Runtime } {
  const given = (parsed as Readonly<Record<string, unknown>>)["runtime"];
  if (given === undefined || given === null || given === "") return {};
  const runtime = runtimes.find((each) => each === given);
  if (runtime) return { runtime };
  throw invalid(file, `"runtime" must be one of ${runtimes.join(", ")}, got ${JSON.stringify(given)}`);
}

/** The path in normal form; refused unless it is relative and stays below its folder. */
export function insidePath(file: string, field: string, path: string): string {
  const outside = path.startsWith("/") || path.includes("\\") || path.includes("\0") || /^[A-Za-z]:/.test(path);
  const normal = normalize(path);
  if (outside || normal === ".." || normal.startsWith("../")) {
    throw invalid(file, `"${field}" is ${JSON.stringify(path)}, which lies outside the model's folder`);
  }
  return normal;
}

/** The absolute path of a field's file, which must be a file. */
export async function existing(root: string, file: string, field: string, path: string): Promise<string> {
  const absolute = join(root, insidePath(file, field, path));
  const found = await lstat(absolute).catch(() => undefined);
  if (!found || found.isDirectory())
    throw invalid(file, `"${field}" names ${JSON.stringify(path)}, and there is no such file`);
  return absolute;
}
