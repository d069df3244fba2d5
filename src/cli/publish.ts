/** `sconce publish ARCHIVE STORE`: verified, copied beside its place, compared, named in one step. Starts no server. */
import { constants } from "node:fs";
import { copyFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { appear, appearNew } from "../archive/atomic.js";
import { sha256File } from "../archive/cache.js";
import { looksLikeModel } from "../archive/unpack.js";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { UsageError } from "../config/usage-error.js";
import { ServerError } from "../errors.js";
import { look } from "./archive-look.js";
import { exitCodes } from "./exit-codes.js";
import { paint, type Terminal } from "./terminal.js";

const shapes: readonly FlagShape[] = [
  { flag: "name", takes: "value" },
  { flag: "force", takes: "nothing", short: "f" },
  { flag: "probe", takes: "nothing" },
  { flag: "probe-timeout", takes: "value" },
  { flag: "json", takes: "nothing" },
];

export async function publish(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, shapes);
  const [archive, store, ...rest] = positionals;
  if (archive === undefined || store === undefined || rest.length > 0) throw new UsageError("expected ARCHIVE STORE");
  const target = join(store, nameOf(archive, values.get("name")));
  await checkPlaces(archive, store);
  const refused = await reasonAgainst(archive, values, terminal);
  if (refused !== undefined) {
    terminal.err(`${paint(terminal.colorErr, "red", "refused:")} ${refused}\n`);
    return exitCodes.model;
  }
  const sha256 = await sha256File(resolve(archive));
  const replaced = await put(archive, target, sha256, values.get("force") === "true");
  if (values.get("json") === "true") terminal.out(`${JSON.stringify({ path: target, sha256, written: replaced })}\n`);
  else terminal.out(`${target}${replaced ? "" : " is there already"}\nsha256 ${sha256}\n`);
  return exitCodes.ok;
}

function nameOf(archive: string, given: string | undefined): string {
  const name = given ?? basename(archive);
  if (/^[A-Za-z0-9][\w.-]*$/.test(name) && looksLikeModel(name)) return name;
  throw new UsageError(`${JSON.stringify(name)} is no archive's name: expected one such as iris.mar (--name)`);
}

async function checkPlaces(archive: string, store: string): Promise<void> {
  const [file, folder] = await Promise.all([archive, store].map((each) => stat(each).catch(() => undefined)));
  if (file?.isFile() !== true) throw new UsageError(`there is no file ${archive}`);
  if (folder?.isDirectory() !== true) throw new UsageError(`there is no model store ${store}`);
}

/** Why a server would not load it. */
async function reasonAgainst(
  archive: string,
  values: ReadonlyMap<string, string>,
  terminal: Terminal,
): Promise<string | undefined> {
  try {
    return (await look(archive, values, terminal)).refused;
  } catch (error) {
    if (error instanceof ServerError && error.code === "invalid_model") return error.message;
    throw error;
  }
}

/** Resolves to whether anything was written: the same bytes under the same name stay as they are. */
async function put(archive: string, target: string, sha256: string, force: boolean): Promise<boolean> {
  const copy = async (temporary: string): Promise<void> => {
    await copyFile(archive, temporary, constants.COPYFILE_EXCL);
    // The archive may have been written to while it was checked and copied.
    if ((await sha256File(temporary)) !== sha256) throw new Error(`${archive} changed while it was published`);
  };
  try {
    await appearNew(target, copy);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
  if ((await sha256File(target)) === sha256) return false;
  if (!force) throw new UsageError(`${target} is there already and holds something else; --force replaces it`);
  await appear(target, copy);
  return true;
}
