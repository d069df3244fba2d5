/**
 * Where registrations come from: files and folders of the model store, archives linked into it, and URLs that are allowed. A
 * name reaches nothing else, whatever links or dots it holds. TorchServe's words for what is refused.
 */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { looksLikeModel } from "../archive/unpack.js";
import type { ServeConfig } from "../config/serve-config.js";
import { allowListOf } from "../download/allow-list.js";
import { allowedUrl } from "../download/url.js";
import { ServerError } from "../errors.js";
import { BoundedCalls } from "./bounded-calls.js";

/** A look into the store, which may be a network mount that hangs: gives what the call gives, or rejects in time. */
export type Within = <T>(call: () => Promise<T>) => Promise<T>;

/** How long a look may take, and what an error calls it. One look is under way at a time. */
export function withinStore({ storeTimeoutMs: timeoutMs }: Pick<ServeConfig, "storeTimeoutMs">): {
  readonly within: Within;
  /** Nobody waits for one any more. */
  readonly close: () => void;
} {
  const calls = new BoundedCalls(1);
  const bound = { what: "the model store (--store-timeout)", timeoutMs };
  return { within: (call) => calls.run(call, bound), close: () => calls.close() };
}

export interface ModelStore {
  /** The absolute path of what `url` names, or a URL that is allowed. Rejects with ServerError model_not_found. */
  locate(url: string): Promise<string>;
}

type StoreConfig = Pick<ServeConfig, "modelStore" | "allowedUrls" | "multiModel" | "multiModelRoot">;

export function createStore(config: StoreConfig, within: Within): ModelStore {
  const allow = allowListOf(config);
  return {
    locate: async (url) => {
      if (/^(https?|file|s3):\/\//i.test(url)) {
        allowedUrl(url, allow);
        return url;
      }
      const store = checked(config.modelStore, url);
      return within(() => locate(store, url));
    },
  };
}

/** What refuses before the store is asked. */
function checked(store: string | undefined, url: string): string {
  if (url === "") throw missing("empty url");
  if (/(^|[\\/])\.\.([\\/]|$)/.test(url)) throw missing(`Relative path is not allowed in url: ${url}`);
  if (store === undefined) throw missing("Model store has not been configured.");
  return store;
}

async function locate(store: string, url: string): Promise<string> {
  const root = await realpath(store).catch((cause: unknown) => {
    throw new ServerError("internal", "The model store (--model-store) cannot be read", { cause });
  });
  const path = url.includes("\0") ? undefined : join(root, nameIn([resolve(store), root], url));
  const found = path && (await realpath(path).catch(() => undefined));
  if (path === undefined || found === undefined) throw missing(`Model not found at: ${url}`);
  // A link may lead anywhere: what counts is where it ends.
  if (found.startsWith(`${root}${sep}`) && (await isModel(found))) return found;
  return linked(root, path, url);
}

/** TorchServe's clients name a folder of the store by its whole path, too; that opens nothing that its name does not. */
function nameIn(stores: readonly string[], url: string): string {
  const store = stores.find((each) => url.startsWith(`${each}${sep}`));
  return store === undefined ? url : url.slice(store.length + 1);
}

/** The store's owner may keep archives elsewhere and link them here, one by one; a linked folder opens nothing outside. */
async function linked(root: string, path: string, url: string): Promise<string> {
  const folder = await realpath(dirname(path));
  const inside = folder === root || folder.startsWith(`${root}${sep}`);
  const isFile = inside && looksLikeModel(basename(path)) && (await stat(path)).isFile();
  if (!isFile) throw missing(`Model not found at: ${url}`);
  return join(folder, basename(path));
}

async function isModel(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true || found?.isDirectory() === true;
}

function missing(message: string): ServerError {
  return new ServerError("model_not_found", message);
}
