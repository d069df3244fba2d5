/**
 * Flags, environment, files and defaults → ServeConfig. In that order: a flag wins over SCONCE_* variables, those over
 * sconce.yaml, that over TorchServe's config.properties (with the TS_* variables that it allows), that over the default.
 * Reads no file by itself and no global: all come in. Throws UsageError naming option, source, value and what is allowed.
 */
import { isAbsolute } from "node:path";
import { readEnvironment, secretsTwice, strangeNames, type Environment } from "./environment.js";
import { parseFlags, type FlagShape } from "./flags.js";
import { emptyFault, hostedSettings, isHosted, unfetched } from "./hosting.js";
import {
  autoDefault,
  optionKeys,
  optionRows,
  startRows,
  type Machine,
  type OptionKey,
  type OptionRow,
} from "./options.js";
import { settingsWithoutEffect } from "./model-settings.js";
import type { ServeConfig } from "./serve-config.js";
import { refuseOption, type Note, type Setting, type Settings } from "./setting.js";
import { answeredFlags, answersTo, reword } from "./torchserve-flags.js";
import { readTorchserve } from "./torchserve-file.js";
import { UsageError } from "./usage-error.js";
import { fromText, type OptionValue, showValue } from "./values.js";
import { readYaml } from "./yaml-file.js";

export type { Environment } from "./environment.js";

export interface Sources {
  /** The words after `serve`. */
  readonly words: readonly string[];
  readonly env: Environment;
  readonly machine: Omit<Machine, "torchserve" | "hosted" | "command" | "logs" | "metricsLogs">;
  /** Started by the command `torchserve`. */
  readonly torchserve?: boolean;
  /** Returns the file's text; throws what node:fs throws. */
  readonly readFile: (path: string) => string;
  /** Whether there is such a file, for those that are read without being named. */
  readonly exists: (path: string) => boolean;
  /** The newest snapshot in a folder, if there is one. Absent: none is looked for. */
  readonly newestSnapshot?: (folder: string) => string | undefined;
}

export interface Resolved {
  readonly config: ServeConfig;
  /** Build the native engine without asking. */
  readonly yes: boolean;
  /** Started as TorchServe or with its configuration. */
  readonly torchserve: boolean;
  /** Where each option's value came from, by its key. */
  readonly settings: ReadonlyMap<OptionKey, Setting>;
  /** The files that were read. */
  readonly files: readonly string[];
  readonly notes: readonly Note[];
  /** Why there has to be a model; undefined: the server may start without. */
  readonly emptyFault: ReturnType<typeof emptyFault>;
}

export const maxConfigFileBytes = 1024 * 1024;
/** Read from the working directory when nothing else is named. */
export const ownFile = "sconce.yaml";
export const torchserveFile = "config.properties";

export function flagShape(row: OptionRow): FlagShape {
  const takes = row.kind.type === "boolean" ? "nothing" : row.kind.type === "list" ? "list" : "value";
  return { flag: row.flag, takes };
}

const allRows: readonly OptionRow[] = [...optionKeys.map((key) => optionRows[key]), ...Object.values(startRows)];
/** A file names no other file. */
const fileRows = allRows.filter((row) => row !== startRows.config && row !== startRows.tsConfig);
const shapes = [...allRows.map(flagShape), ...answeredFlags];

function fromFlags(values: ReadonlyMap<string, string>): Settings {
  const found = new Map<OptionRow, Setting>();
  for (const row of allRows) {
    const text = values.get(row.flag);
    if (text === undefined) continue;
    const value = fromText(row.kind, text);
    if (value === undefined) throw refuseOption(`--${row.flag}`, text, row);
    found.set(row, { value, origin: `--${row.flag}` });
  }
  return found;
}

/** Words for variables that look like options and are none. */
export function strangeVariables(env: Environment): string[] {
  return strangeNames(env, allRows);
}

type Find = (row: OptionRow) => Setting | undefined;

interface NamedFile {
  readonly path: string;
  /** What named it, for messages. */
  readonly by: string;
}

function named(setting: Setting | undefined): NamedFile | undefined {
  return typeof setting?.value === "string" ? { path: setting.value, by: `${setting.origin} ` } : undefined;
}

function readConfigFile({ path, by }: NamedFile, { readFile }: Sources): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${by}${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (text.length > maxConfigFileBytes) throw new UsageError(`${by}${path}: over ${maxConfigFileBytes} bytes`);
  return text;
}

/** Which files to read: those named, else those that lie in the working directory, sconce.yaml first. */
function chooseFiles(find: Find, { env, exists }: Sources) {
  const variable = env["TS_CONFIG_FILE"];
  const fromVariable =
    variable === undefined || variable === "" ? undefined : { path: variable, by: "TS_CONFIG_FILE " };
  const own = named(find(startRows.config));
  const torchserve = fromVariable ?? named(find(startRows.tsConfig));
  if (own || torchserve) return { own, torchserve, passedOver: false };
  const lies = (path: string): NamedFile | undefined => (exists(path) ? { path, by: "" } : undefined);
  const found = lies(ownFile);
  const other = lies(torchserveFile);
  return { own: found, torchserve: found ? undefined : other, passedOver: found !== undefined && other !== undefined };
}

interface Gathered {
  readonly find: Find;
  readonly torchserve: boolean;
  readonly files: readonly string[];
  readonly notes: readonly Note[];
}

function gather(values: ReadonlyMap<string, string>, sources: Sources): Gathered {
  const flags = fromFlags(values);
  const env = new Map([...hostedSettings(sources.env), ...readEnvironment(sources.env, allRows, sources.readFile)]);
  const { own, torchserve, passedOver } = chooseFiles((row) => flags.get(row) ?? env.get(row), sources);
  const notes = [...answersTo(values)];
  if (passedOver) {
    notes.push({ level: "info", message: `${torchserveFile} is not read: ${ownFile} is there (--ts-config reads it)` });
  }
  const layers = [flags, env];
  if (own) layers.push(readYaml(own.path, readConfigFile(own, sources), fileRows));
  const mine = layers.length;
  if (torchserve) {
    const read = readTorchserve(torchserve.path, readConfigFile(torchserve, sources), sources.env);
    layers.push(withinCores(read.settings, sources.machine.cores));
    notes.push(...read.notes);
  }
  const find = (row: OptionRow): Setting | undefined => layers.find((layer) => layer.has(row))?.get(row);
  const asTorchserve = sources.torchserve === true || torchserve !== undefined;
  const named = torchserve !== undefined && torchserve.by !== "";
  const told = named || layers.slice(0, mine).some((layer) => layer.has(optionRows.modelSnapshot));
  const snapshot = told ? undefined : findSnapshot(find, asTorchserve, sources);
  if (snapshot) {
    const read = readTorchserve(snapshot.path, readConfigFile(snapshot, sources), sources.env);
    const { modelSnapshot } = optionRows;
    // What was loaded wins over config.properties, as in TorchServe; for all else the file that people edit wins.
    layers.splice(mine, 0, new Map([...read.settings].filter(([row]) => row === modelSnapshot)));
    layers.push(withinCores(read.settings, sources.machine.cores));
    notes.push({ level: "info", message: restoredFrom(snapshot.path) }, ...read.notes);
  }
  notes.push(...secretsTwice(layers, allRows));
  const files = [own, torchserve, snapshot].flatMap((file) => (file ? [file.path] : []));
  return { find, torchserve: asTorchserve, files, notes };
}

/** TorchServe's image asks for 32 threads of Netty on every machine; here more of them than cores only take time and memory. */
function withinCores(settings: Settings, cores: number): Settings {
  const threads = settings.get(optionRows.httpThreads);
  if (threads === undefined || (typeof threads.value === "number" && threads.value <= cores)) return settings;
  const origin = `${threads.origin}=${showValue(optionRows.httpThreads.kind, threads.value)}, one per core at most`;
  return new Map([...settings, [optionRows.httpThreads, { value: cores, origin }]]);
}

const restoredFrom = (path: string): string =>
  `the models are those of the snapshot ${path}, which wins over --models; --no-config-snapshots begins without it`;

/** The newest snapshot, where snapshots are on. */
function findSnapshot(find: Find, torchserve: boolean, sources: Sources): NamedFile | undefined {
  const on = find(optionRows.configSnapshots)?.value ?? torchserve;
  if (on !== true) return undefined;
  const machine = machineOf(find, torchserve, sources);
  const folder = find(optionRows.snapshotFolder)?.value ?? autoDefault("snapshotFolder", machine, 1);
  const path = typeof folder === "string" ? sources.newestSnapshot?.(folder) : undefined;
  return path === undefined ? undefined : { path, by: "" };
}

function machineOf(find: Find, torchserve: boolean, { machine, env, torchserve: command = false }: Sources): Machine {
  const { LOG_LOCATION: location = "", METRICS_LOCATION: metrics = "" } = env;
  const given = find(optionRows.logFolder)?.value;
  const folder = typeof given === "string" ? given : undefined;
  const logs = folder ?? (location === "" ? "logs" : location);
  const metricsLogs = command && metrics !== "" ? metrics : (folder ?? (command ? "logs" : undefined));
  return { ...machine, torchserve, command, hosted: isHosted(env), logs, metricsLogs };
}

/** What `serve` runs with. */
export function resolveServe(sources: Sources): Resolved {
  const parsed = parseFlags(reword(sources.words), shapes);
  const { find, torchserve, files, notes } = gather(parsed.values, sources);
  const machine = machineOf(find, torchserve, sources);
  const cores = Number(find(optionRows.cores)?.value ?? autoDefault("cores", machine, 1));
  const settingOf = (key: OptionKey): Setting | undefined => {
    const row: OptionRow = optionRows[key];
    const given = find(row);
    if (given) return given;
    const automatic = row.auto !== undefined && row.fallback === "auto";
    const value: OptionValue | undefined = automatic ? autoDefault(key, machine, cores) : row.fallback;
    return value === undefined ? undefined : { value, origin: automatic ? `default: ${row.auto}` : "default" };
  };
  const settings = new Map<OptionKey, Setting>();
  for (const key of optionKeys) {
    const setting = settingOf(key);
    if (setting) settings.set(key, setting);
  }
  const values = Object.fromEntries(optionKeys.map((key) => [key, settings.get(key)?.value]));
  // Every key of ServeConfig has a row (checked by the compiler), and each kind's reader gives the key's type (tested).
  const config = { ...values, positional: parsed.positionals } as unknown as ServeConfig;
  checkTogether(config, settings);
  const notHere = unfetched(sources.env);
  const idle = settingsWithoutEffect(config.modelSettings).map((message): Note => ({ level: "warn", message }));
  return {
    config,
    yes: find(startRows.yes)?.value === true,
    torchserve,
    settings,
    files,
    notes: [...notes, ...notHere, ...idle],
    emptyFault: emptyFault(sources.env, config, settings),
  };
}

/** Whether an address reaches no other machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** TorchServe's one connector for both: the management API is then answered on the inference port. */
export function sharesAddress({ host, port, managementHost, managementPort }: ServeConfig): boolean {
  return port !== 0 && port === managementPort && host === managementHost;
}

/** Whether any listener needs the certificate. */
export function speaksTls({ https, managementHttps, metricsHttps, grpcTls, ...config }: ServeConfig): boolean {
  const grpc = config.grpcInferencePort !== "off" || config.grpcManagementPort !== "off";
  return https || managementHttps || metricsHttps || (grpcTls && grpc);
}

/** What no row can check alone. */
function checkTogether(config: ServeConfig, settings: ReadonlyMap<OptionKey, Setting>): void {
  const origin = (key: OptionKey): string => settings.get(key)?.origin ?? "";
  if (config.models.length > 0 && config.modelStore === undefined) {
    throw new UsageError(
      `${origin("models")}: ${config.models.join(" ")} needs --model-store, the folder that the files are in`,
    );
  }
  if (config.pollModelStoreMs > 0 && (config.modelStore === undefined || config.models.length === 0)) {
    throw new UsageError(`${origin("pollModelStoreMs")}: needs --model-store and --models, which say what to look for`);
  }
  if (config.watch && config.positional.every((word) => word.includes("://"))) {
    throw new UsageError(`${origin("watch")}: needs a file or folder to look at: sconce serve FOLDER --watch`);
  }
  if (config.watch && config.pollModelStoreMs > 0) {
    const words = "--watch follows the command line, --poll-model-store the model store; one of them at a time";
    throw new UsageError(`${origin("watch")}: ${words}`);
  }
  if (sharesAddress(config) && config.https !== config.managementHttps) {
    const origins = `${origin("port")}, ${origin("managementPort")}`;
    throw new UsageError(`${origins}: one address for both needs --https and --management-https, or neither`);
  }
  if (config.multiModel && sharesAddress(config)) {
    throw new UsageError(`${origin("multiModel")}: the inference port has one /models; give management another port`);
  }
  const stray = strayArchive(config);
  if (stray !== undefined) {
    throw new UsageError(`${origin("modelSnapshot")}: ${stray} needs --model-store, the folder that the file is in`);
  }
  for (const key of ["corsAllowedOrigin", "corsAllowedMethods", "corsAllowedHeaders"] as const) {
    if (!/^[\x20-\x7e]*$/.test(config[key] ?? "")) throw new UsageError(`${origin(key)}: ASCII on one line expected`);
  }
  for (const key of ["managementHost", "grpcManagementHost"] as const) {
    if (key === "grpcManagementHost" && config.grpcManagementPort === "off") continue;
    if (isLoopback(config[key]) || config.insecure || isDecided(config, settings)) continue;
    throw new UsageError(
      `${origin(key)}: ${config[key]}: other machines could register and remove models there ` +
        `without authorization; use 127.0.0.1, --token-auth, --tokens-file, or --insecure if the network is yours`,
    );
  }
}

/** An archive that only a model store can have, where there is none. */
function strayArchive({ modelSnapshot, modelStore }: ServeConfig): string | undefined {
  if (modelStore !== undefined) return undefined;
  const versions = Object.values(modelSnapshot?.models ?? {}).flatMap((each) => Object.values(each));
  return versions.map(({ marName = "" }) => marName).find((file) => !isAbsolute(file) && !file.includes("://"));
}

/** Authorization is on, or the operator has switched it off in so many words. */
function isDecided({ tokenAuth, tokensFile }: ServeConfig, settings: ReadonlyMap<OptionKey, Setting>): boolean {
  return tokenAuth || tokensFile !== undefined || settings.get("tokenAuth")?.origin.startsWith("default") === false;
}

/** The one loud line when anybody may ask; undefined when requests need a key, or only this machine can ask. */
export function openToAll({ config, torchserve }: Resolved): string | undefined {
  const { tokenAuth, host, managementHost } = config;
  const inference = config.grpcInferencePort === "off" ? [] : [config.grpcInferenceHost];
  const grpc = config.grpcManagementPort === "off" ? inference : [...inference, config.grpcManagementHost];
  const reachable = [host, managementHost, ...grpc].filter((each) => !isLoopback(each));
  if (tokenAuth || config.tokensFile !== undefined || (reachable.length === 0 && !torchserve)) return undefined;
  const who = reachable.length === 0 ? "anybody on this machine" : "anybody who reaches this machine";
  return `TOKEN AUTHORIZATION IS OFF: ${who} may use the inference and management ports (--token-auth asks for keys)`;
}
