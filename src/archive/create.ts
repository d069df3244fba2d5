/**
 * What `sconce archive create` and torch-model-archiver put into an archive: the model's files side by side, extra files
 * and folders among them, a manifest; here also a list of digests. Which file gets which name is worked out first, then
 * pack.ts writes, and the archive appears under its name when it is whole.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { didYouMean } from "../config/suggest.js";
import { ServerError } from "../errors.js";
import type { Lineage } from "../types.js";
import { appear, appearIn } from "./atomic.js";
import { sha256File } from "./cache.js";
import { sha256Of, digestList, formatDigests, type Digest } from "./digests.js";
import { glob, hasPattern } from "./glob.js";
import type { Runtime } from "./manifest.js";
import { builtinHandlers, namePattern, scriptPattern } from "./names.js";
import { endingOf, pack, type ArchiveFormat, type PackedFile } from "./pack.js";

/** torch-model-archiver's options under its names. */
export interface CreateOptions {
  readonly modelName: string;
  readonly version: string;
  /** A built-in's name, or a file with ".py" and ":function" or without. */
  readonly handler: string;
  readonly serializedFile?: string;
  readonly modelFile?: string;
  /** Paths or patterns; of a folder, its contents. */
  readonly extraFiles: readonly string[];
  readonly runtime: Runtime;
  readonly exportPath: string;
  readonly format: ArchiveFormat;
  /** Replaces an archive that is there; of a folder, the files that it packs. */
  readonly force: boolean;
  readonly requirementsFile?: string;
  readonly configFile?: string;
  /** For the manifest's createdOn; without it the manifest has none, and the archive the same bytes every time. */
  readonly created?: Date;
  /** For the manifest's archiverVersion. */
  readonly archiver: string;
  readonly lineage?: Lineage;
}

export interface CreatedArchive {
  readonly path: string;
  readonly files: readonly Digest[];
  /** Patterns that no file matched. */
  readonly unmatched: readonly string[];
}

const manifestName = "MAR-INF/MANIFEST.json";
const unwantedFolders: readonly string[] = ["__MACOSX", "__pycache__"];

/** Rejects with ServerError bad_request for what the options ask for and cannot be. */
export async function createArchive(options: CreateOptions): Promise<CreatedArchive> {
  checkWords(options);
  const path = join(options.exportPath, `${options.modelName}${endingOf[options.format]}`);
  const isThere = await checkPlace(path, options);
  const { files, unmatched } = await collect(options, path);
  const digests = await Promise.all(files.map(digestOf));
  const { format, modelName } = options;
  // A folder has no list: what is put into it afterwards, as weights often are, would be refused.
  const list = { name: digestList, from: Buffer.from(formatDigests(digests)) };
  const all = format === "no-archive" ? files : [...files, list];
  const write = (temporary: string): Promise<void> => pack(temporary, format, modelName, all);
  if (format !== "no-archive" || !isThere) await appear(path, write);
  else await appearIn(path, write, [digestList]);
  return { path, files: digests, unmatched };
}

/** Whether something is there that may be replaced. Nothing is lost but an archive, or in a folder what is packed anew. */
async function checkPlace(path: string, { exportPath, format, force }: CreateOptions): Promise<boolean> {
  const isFolder = async (each: string): Promise<boolean | undefined> =>
    stat(each).then(
      (found) => found.isDirectory(),
      () => undefined,
    );
  if ((await isFolder(resolve(exportPath))) !== true) {
    throw refused(`--export-path ${exportPath} is no folder; the archive goes into one that is there`);
  }
  const there = await isFolder(path);
  if (there === undefined) return false;
  if (!force) throw refused(`${path} is there already; --force replaces it`);
  if (there === (format === "no-archive")) return true;
  throw refused(`${path} is a ${there ? "folder" : "file"}, which --force does not replace`);
}

function refused(what: string): ServerError {
  return new ServerError("bad_request", what);
}

function checkWords({ modelName, version }: CreateOptions): void {
  for (const [flag, word] of [
    ["--model-name", modelName],
    ["--version", version],
  ] as const) {
    if (!namePattern.test(word)) {
      throw refused(`${flag} ${JSON.stringify(word)}: letters, digits, _, - and . after a letter or digit`);
    }
  }
}

async function digestOf({ name, from }: PackedFile): Promise<Digest> {
  return { name, sha256: typeof from === "string" ? await sha256File(from) : sha256Of(from) };
}

interface Collected {
  readonly files: readonly PackedFile[];
  readonly unmatched: readonly string[];
}

/** Everything but the digests; no two files under one name. `made` is what is to be made: it never packs itself. */
async function collect(options: CreateOptions, made: string): Promise<Collected> {
  const named = [
    await single("--serialized-file", options.serializedFile),
    await single("--model-file", options.modelFile),
    await single("--handler", handlerFile(options)),
    await single("--requirements-file", options.requirementsFile),
    await single("--config-file", options.configFile),
  ].flat();
  const extras = await Promise.all(options.extraFiles.map(extraFiles));
  const unmatched = options.extraFiles.filter((_, index) => extras[index]?.length === 0);
  const manifest = { name: manifestName, from: Buffer.from(`${JSON.stringify(manifestOf(options), undefined, 2)}\n`) };
  const files = new Map<string, PackedFile>();
  for (const file of [...named, ...extras.flat(), manifest]) {
    if (typeof file.from === "string" && resolve(file.from) === resolve(made)) continue;
    const other = files.get(file.name);
    if (other && !(await isSame(other, file))) {
      throw refused(`two files would be called ${file.name}: ${shown(other)} and ${shown(file)}`);
    }
    files.set(file.name, file);
  }
  return { files: [...files.values()], unmatched };
}

/** One file by two paths: `net.pt` and `./net.pt`. */
async function isSame(one: PackedFile, other: PackedFile): Promise<boolean> {
  if (typeof one.from !== "string" || typeof other.from !== "string") return false;
  return (await realpath(one.from)) === (await realpath(other.from));
}

const shown = ({ from }: PackedFile): string => (typeof from === "string" ? from : "the one that is made");

async function single(flag: string, path: string | undefined): Promise<readonly PackedFile[]> {
  if (path === undefined) return [];
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) {
    const near = flag === "--handler" ? didYouMean(basename(path, extname(path)), builtinHandlers) : "";
    throw refused(`${flag}: there is no file ${path}${near}`);
  }
  return [{ name: basename(path), from: path }];
}

/** The file that a handler's name means; undefined for built-in ones. */
function handlerFile({ handler, runtime }: CreateOptions): string | undefined {
  const builtin = runtime === "LSP" ? ["BaseHandler", "TorchScriptHandler"] : builtinHandlers;
  // With a function behind it, a built-in one's name is a file's.
  if (builtin.includes(handler)) return undefined;
  const file = handler.split(":")[0] ?? "";
  if (runtime !== "LSP" && scriptPattern.test(file)) return file;
  const ending = runtime === "LSP" ? ".so" : ".py";
  return file.endsWith(ending) ? file : `${file}${ending}`;
}

async function extraFiles(word: string): Promise<readonly PackedFile[]> {
  const paths = await glob(word);
  if (paths.length === 0 && !hasPattern(word)) throw refused(`--extra-files: there is no file or folder ${word}`);
  const found = await Promise.all(
    paths.map(async (path) =>
      (await stat(path)).isDirectory() ? below(path, "") : [{ name: basename(path), from: path }],
    ),
  );
  return found.flat();
}

/** A folder's files under their paths inside it, without hidden folders and what tools leave behind. */
async function below(folder: string, prefix: string): Promise<readonly PackedFile[]> {
  const names = await readdir(folder);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const entry = await stat(path).catch(() => undefined);
      if (entry === undefined) throw refused(`--extra-files: ${path} leads to nothing that can be read`);
      if (entry.isFile()) return [{ name: `${prefix}${name}`, from: path }];
      const wanted = entry.isDirectory() && !unwantedFolders.includes(name) && !name.startsWith(".");
      return wanted ? below(path, `${prefix}${name}/`) : [];
    }),
  );
  return found.flat();
}

/** The fields in the order in which torch-model-archiver writes them. */
function manifestOf(options: CreateOptions): unknown {
  const { created, runtime, modelName, serializedFile, handler, modelFile, version } = options;
  const { requirementsFile, configFile, archiver } = options;
  const file = (path: string | undefined): string | undefined => (path === undefined ? undefined : basename(path));
  return {
    createdOn: created === undefined ? undefined : dateWords(created),
    runtime,
    model: {
      modelName,
      serializedFile: file(serializedFile),
      handler: basename(handler),
      modelFile: file(modelFile),
      modelVersion: version,
      requirementsFile: file(requirementsFile),
      configFile: file(configFile),
    },
    archiverVersion: archiver,
    lineage: options.lineage,
  };
}

/** dd/mm/yyyy HH:MM:SS, in UTC. */
function dateWords(date: Date): string {
  const [year, month, day, time] = date.toISOString().split(/[-T.]/);
  return `${day}/${month}/${year} ${time}`;
}
