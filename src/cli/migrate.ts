/**
 * `sconce migrate check DIR`: reads a TorchServe deployment (its config.properties, its model store, its archives) and says
 * what will work here, what needs a Python that can run its handler, and what will not. Changes nothing and starts no server.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Inspection } from "../archive/inspect.js";
import { looksLikeModel } from "../archive/unpack.js";
import { parseFlags } from "../config/flags.js";
import { optionRows } from "../config/options.js";
import { torchserveFile } from "../config/resolve.js";
import { readTorchserve, type TorchserveSettings } from "../config/torchserve-file.js";
import { UsageError } from "../config/usage-error.js";
import { readTextFile } from "../config/text-file.js";
import { findPython } from "../worker/python.js";
import { look, settingsHere } from "./archive-look.js";
import { exitCodes } from "./exit-codes.js";
import { table } from "./table.js";
import type { Terminal } from "./terminal.js";

export type Verdict = "works" | "needs Python" | "will not work";

interface ModelReport {
  readonly path: string;
  readonly verdict: Verdict;
  readonly model?: string;
  readonly version?: string;
  readonly reason?: string;
  readonly warnings: readonly string[];
}

interface Report {
  readonly configuration?: string;
  /** Why the configuration would not start a server. */
  readonly refused?: string;
  readonly notes: readonly string[];
  readonly store?: string;
  readonly models: readonly ModelReport[];
}

export async function migrate(words: readonly string[], terminal: Terminal): Promise<number> {
  const [command, ...rest] = words;
  if (command !== "check") throw new UsageError("migrate takes check DIR");
  const shapes = [
    { flag: "json", takes: "nothing" as const },
    { flag: "probe", takes: "nothing" as const },
    { flag: "python", takes: "value" as const },
  ];
  const { values, positionals } = parseFlags(rest, shapes);
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0) throw new UsageError("migrate check takes one folder");
  if (!isFolder(folder)) throw new UsageError(`${folder} is no folder`);
  const report = await check(folder, values, terminal);
  terminal.out(values.get("json") === "true" ? `${JSON.stringify(report, null, 2)}\n` : inWords(report, terminal));
  const fine = report.refused === undefined && report.models.every(({ verdict }) => verdict === "works");
  return fine ? exitCodes.ok : exitCodes.failure;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

async function check(folder: string, flags: ReadonlyMap<string, string>, terminal: Terminal): Promise<Report> {
  const file = [join(folder, torchserveFile), join(folder, "config", torchserveFile)].find(existsSync);
  const read = file === undefined ? undefined : readFile(file, terminal);
  const settings = typeof read === "object" ? read.settings : undefined;
  const store = storeOf(folder, settings?.get(optionRows.modelStore)?.value);
  const worker = onceOnly(() => workerPython(settingsHere(flags, terminal).python));
  const models: ModelReport[] = [];
  for (const path of store === undefined ? [] : modelsIn(store)) {
    models.push(await judge(path, flags, terminal, worker));
  }
  return {
    ...(file === undefined ? {} : { configuration: file }),
    ...(typeof read === "string" ? { refused: read } : {}),
    notes: typeof read === "object" ? read.notes.map(({ message }) => message) : [],
    ...(store === undefined ? {} : { store }),
    models,
  };
}

/** A string says why it cannot be read. */
function readFile(path: string, terminal: Terminal): TorchserveSettings | string {
  try {
    return readTorchserve(path, readTextFile(path), terminal.env);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The configuration's, also when the deployment lies elsewhere than it will; else where stores usually lie. */
function storeOf(folder: string, configured: unknown): string | undefined {
  const named = typeof configured === "string" ? [resolve(folder, configured)] : [];
  const usual = ["model-store", "model_store", "models", "."].map((name) => join(folder, name));
  return [...named, ...usual].find((path) => isFolder(path) && modelsIn(path).length > 0);
}

/** Archives and bare artifacts; a folder is one when it has a manifest. */
function modelsIn(store: string): readonly string[] {
  return readdirSync(store)
    .filter((name) => !name.startsWith("."))
    .sort()
    .map((name) => join(store, name))
    .filter((path) => (isFolder(path) ? existsSync(join(path, "MAR-INF", "MANIFEST.json")) : looksLikeModel(path)));
}

/** What can run handlers in Python, in words, and whether it can. */
interface Worker {
  readonly able: boolean;
  readonly words: string;
}

const onceOnly = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let asked: Promise<T> | undefined;
  return () => (asked ??= ask());
};

/** The one that a server started here would take. */
async function workerPython(command: string): Promise<Worker> {
  try {
    const { executable, version, torch, torchserve } = await findPython(command);
    return {
      able: true,
      words: `in a Python worker: ${executable} ${version}, torch ${torch}, torchserve ${torchserve}`,
    };
  } catch (error) {
    return { able: false, words: error instanceof Error ? error.message : String(error) };
  }
}

async function judge(
  path: string,
  flags: ReadonlyMap<string, string>,
  terminal: Terminal,
  worker: () => Promise<Worker>,
): Promise<ModelReport> {
  try {
    return await reportOf(path, await look(path, flags, terminal), worker);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { path, verdict: "will not work", reason, warnings: [] };
  }
}

async function reportOf(path: string, inspection: Inspection, worker: () => Promise<Worker>): Promise<ModelReport> {
  const { refused, runtime, manifest, spec, warnings } = inspection;
  const python = refused === undefined && (runtime === "python" || spec?.kind === "python");
  const runs = python ? await worker() : undefined;
  const verdict = refused !== undefined ? "will not work" : runs?.able === false ? "needs Python" : "works";
  const reason = refused ?? runs?.words;
  const model = spec?.name ?? manifest.modelName;
  const version = spec?.version ?? manifest.modelVersion;
  return {
    path,
    verdict,
    ...(model === undefined ? {} : { model }),
    ...(version === undefined ? {} : { version }),
    ...(reason === undefined ? {} : { reason }),
    warnings,
  };
}

function inWords({ configuration, refused, notes, store, models }: Report, terminal: Terminal): string {
  const parts = [
    configuration === undefined
      ? `No ${torchserveFile} here: the options are on the command line, which sconce serve takes as they are.\n`
      : refused === undefined
        ? `${configuration} is read as it is.\n`
        : `${configuration} would end the start: ${refused}\n`,
  ];
  if (notes.length > 0) parts.push(`${["What is not used of it:", ...notes.map((note) => `  ${note}`)].join("\n")}\n`);
  if (store === undefined) parts.push("No model store with models was found.\n");
  else {
    const rows = models.map(({ path, model = "", version = "", verdict, reason }) => [
      model === "" ? path : `${model} ${version}`.trim(),
      verdict,
      reason ?? path,
    ]);
    parts.push(table(["model", "verdict", "why"], rows, terminal));
    const warnings = models.flatMap((each) => each.warnings);
    if (warnings.length > 0) parts.push(`${["Worth knowing:", ...warnings.map((each) => `  ${each}`)].join("\n")}\n`);
  }
  return parts.join("\n");
}
