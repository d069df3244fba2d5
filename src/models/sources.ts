/** Which models the configuration names: positionals and files of the model store. Reads folders, opens no model. */
import { readdir, stat } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, join, normalize } from "node:path";
import { isArchive, looksLikeModel } from "../archive/unpack.js";
import type { ServeConfig } from "../config/serve-config.js";
import { didYouMean } from "../config/suggest.js";
import { isUrl } from "../download/url.js";
import { ServerError } from "../errors.js";
import type { RegisterRequest, Workers } from "./models.js";
import { snapshotSources, without } from "./snapshot-sources.js";
import { StartError } from "./start-error.js";
import type { Within } from "./store.js";

export interface ModelSource {
  readonly path: string;
  readonly name?: string;
  /** How it is called to clients, when not by its path: a file of the model store, as a registration names it. */
  readonly url?: string;
  /** When it fails, the start fails. */
  readonly required: boolean;
  /** What a snapshot says of it, as a registration would. */
  readonly said?: Said;
  readonly workers?: Workers;
  /** Requests without a version go to it. */
  readonly isDefault?: boolean;
  /** Tracked models whose place it takes when it serves, even under the same version. */
  readonly replaces?: ReadonlySet<string>;
}

export type Said = Pick<
  RegisterRequest,
  "batchSize" | "maxBatchDelayMs" | "responseTimeoutMs" | "startupTimeoutMs" | "workers" | "maxWorkers"
>;

/** In the order of the command line. Rejects with StartError when a store or a named file of it is not there. */
export async function listSources(
  config: Pick<
    ServeConfig,
    "positional" | "models" | "modelStore" | "modelDir" | "multiModel" | "strict" | "modelSnapshot"
  >,
  within: Within,
): Promise<readonly ModelSource[]> {
  const list = async (): Promise<readonly ModelSource[]> => {
    const found = await namedSources(config);
    const laidDown = found.length === 0 && !config.multiModel && config.modelSnapshot === undefined;
    return laidDown ? sourcesIn(config.modelDir) : found;
  };
  return within(list).catch((error: unknown) => {
    if (!(error instanceof ServerError) || error.code !== "store_timeout") throw error;
    throw new StartError(config.modelStore ?? config.modelDir, error.message);
  });
}

async function namedSources(
  config: Pick<ServeConfig, "positional" | "models" | "modelStore" | "strict" | "modelSnapshot">,
): Promise<readonly ModelSource[]> {
  const { modelStore: store } = config;
  // Also where nothing of it is named: better now than at the first registration.
  const entries = store === undefined ? [] : await entriesOf(store);
  const named = config.positional.map((word) => ({ ...splitName(word, existsSync), required: true }));
  if (config.modelSnapshot !== undefined) {
    const kept = snapshotSources(config.modelSnapshot, store);
    return [...without(named, kept), ...kept];
  }
  if (store === undefined || config.models.length === 0) return named;
  const all = config.models.some((each) => each.toLowerCase() === "all");
  if (all) {
    const found = (await listStore(store)).map((path) => ({ path, url: basename(path), required: config.strict }));
    return [...named, ...found];
  }
  const found: ModelSource[] = [];
  for (const word of config.models) found.push(await inStore(store, word, entries));
  return [...named, ...found];
}

/** A folder that a hosting service fills: it is a model, or it holds some. Nothing where it is not there or empty. */
async function sourcesIn(folder: string): Promise<readonly ModelSource[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const archives = names.filter((name) => isArchive(name) && !name.startsWith(".")).sort();
  if (names.length === 0) return [];
  if (archives.length < 2) return [{ path: folder, required: true }];
  return archives.map((name) => ({ path: join(folder, name), required: true }));
}

/** "name=path" → both; a path that exists as it stands is a path, whatever is in it. */
export function splitName(
  word: string,
  exists: (path: string) => boolean,
): { readonly path: string; readonly name?: string } {
  const equals = word.indexOf("=");
  // What stands before the first "=" of a URL is no name.
  if (equals <= 0 || isUrl(word.slice(0, equals)) || exists(word)) return { path: word };
  return { name: word.slice(0, equals), path: word.slice(equals + 1) };
}

async function entriesOf(store: string): Promise<readonly string[]> {
  return readdir(store).catch((error: unknown) => {
    throw new StartError(
      store,
      `the model store cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}

/** Archives, bare artifacts, and folders; hidden files and anything else are passed over. */
async function listStore(store: string): Promise<readonly string[]> {
  const names = (await entriesOf(store)).filter((name) => !name.startsWith(".")).sort();
  const found: string[] = [];
  // One after another: a store that hangs takes one thread of libuv's pool, not all of them.
  for (const name of names) {
    const path = join(store, name);
    if (looksLikeModel(name) || (await stat(path).catch(() => undefined))?.isDirectory() === true) found.push(path);
  }
  return found;
}

/** How often to look when a developer waits for it; a change is taken at the second look. */
const watchMs = 250;

/** How often to look for changes; 0: never. */
export function followMs({ watch, pollModelStoreMs }: Pick<ServeConfig, "watch" | "pollModelStoreMs">): number {
  return watch ? watchMs : pollModelStoreMs;
}

/**
 * What is looked at for changes. With --watch the paths of the command line, there or not, so that none of them is ever
 * taken for gone; else those that --models stands for and that are in the model store now. Rejects when that cannot be read.
 */
export async function listFollowed(
  config: Pick<ServeConfig, "models" | "modelStore" | "positional" | "watch">,
): Promise<readonly string[]> {
  if (!config.watch) return listInStore(config);
  return config.positional.map((word) => splitName(word, existsSync).path).filter((path) => !isUrl(path));
}

async function listInStore(config: Pick<ServeConfig, "models" | "modelStore">): Promise<readonly string[]> {
  const { modelStore: store, models } = config;
  if (store === undefined) return [];
  if (models.some((each) => each.toLowerCase() === "all")) return listStore(store);
  const names = await entriesOf(store);
  const words = models
    .map((word) => splitName(word, (each) => names.includes(each)).path)
    .filter((path) => !isUrl(path));
  const files = words.flatMap((path) => [path, `${path}.mar`]).filter((path) => names.includes(normalize(path)));
  return [...new Set(files.map((path) => join(store, path)))];
}

async function inStore(store: string, word: string, names: readonly string[]): Promise<ModelSource> {
  const { name, path } = splitName(word, (each) => names.includes(each));
  if (isUrl(path)) return { path, required: true, ...(name === undefined ? {} : { name }) };
  const file = normalize(path);
  if (file.startsWith("/") || file === ".." || file.startsWith("../")) {
    throw new StartError(word, "--models names files of the model store, and this lies outside it");
  }
  const url = (await exists(join(store, file))) ? file : (await exists(join(store, `${file}.mar`))) && `${file}.mar`;
  if (url === false) {
    throw new StartError(join(store, file), `no such file in the model store${didYouMean(file, names)}`);
  }
  return { path: join(store, url), url, required: true, ...(name === undefined ? {} : { name }) };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
