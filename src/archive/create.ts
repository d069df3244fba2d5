/**
 * What `sconce archive create` and torch-model-archiver put into an archive: the model's files side by side, extra files
 * and folders among them, a manifest; here also a list of digests. Which file gets which name is worked out first, then
 * pack.ts writes, and the archive appears under its name when it is whole.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { didYouMean } from "../config/suggest.js";
import { ServerError } from "../errors.js";
import type { Lineage } from "../types.js";
import { appear } from "./atomic.js";
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
  /** Replaces an archive that is there. */
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
}

const manifestName = "MAR-INF/MANIFEST.json";
const unwantedFolders: readonly string[] = ["__MACOSX", "__pycache__"];

/** Rejects with ServerError bad_request for what the options ask for and cannot be. */
export async function createArchive(options: CreateOptions): Promise<CreatedArchive> {
  checkWords(options);
  const path = join(options.exportPath, `${options.modelName}${endingOf[options.format]}`);
  const there = await stat(path).catch(() => undefined);
  if (there && !options.force) throw refused(`${path} is there already; --force replaces it`);
  const files = await collect(options);
  const digests = await Promise.all(files.map(digestOf));
  const all = [...files, { name: digestList, from: Buffer.from(formatDigests(digests)) }];
  await appear(path, async (temporary) => {
    await pack(temporary, options.format, options.modelName, all);
    // A folder cannot be renamed over another one.
    if (there?.isDirectory() === true) await rm(path, { recursive: true });
  });
  return { path, files: digests };
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

/** Everything but the digests; no two files under one name. */
async function collect(options: CreateOptions): Promise<readonly PackedFile[]> {
  const named = [
    await single("--serialized-file", options.serializedFile),
    await single("--model-file", options.modelFile),
    await single("--handler", handlerFile(options)),
    await single("--requirements-file", options.requirementsFile),
    await single("--config-file", options.configFile),
  ].flat();
  const extra = (await Promise.all(options.extraFiles.map(extraFiles))).flat();
  const manifest = { name: manifestName, from: Buffer.from(`${JSON.stringify(manifestOf(options), undefined, 2)}\n`) };
  const files = new Map<string, PackedFile>();
  for (const file of [...named, ...extra, manifest]) {
    const other = files.get(file.name);
    if (other && other.from !== file.from) {
      throw refused(`two files would be called ${file.name}: ${shown(other)} and ${shown(file)}`);
    }
    files.set(file.name, file);
  }
  return [...files.values()];
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
  const file = handler.split(":")[0] ?? "";
  if (builtin.includes(file)) return undefined;
  if (runtime !== "LSP" && scriptPattern.test(file)) return file;
  const ending = runtime === "LSP" ? ".so" : ".py";
  return file.endsWith(ending) ? file : `${file}${ending}`;
}

async function extraFiles(word: string): Promise<readonly PackedFile[]> {
  const paths = await glob(word);
  if (paths.length === 0) {
    const what = hasPattern(word) ? "no file matches" : "there is no file or folder";
    throw refused(`--extra-files: ${what} ${word}`);
  }
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
      const entry = await stat(path);
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
