/**
 * A path that an operator names → the folder and files of one model, wherever they come from: a .mar or .tar.gz archive
 * (unpacked into the cache), a folder with or without MAR-INF, a bare artifact with its yaml beside it. Reads no artifact.
 */
import { lstat, open, readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { artifactExtensions } from "./artifact.js";
import { cachedFolder, sha256File, type Claims } from "./cache.js";
import { verifyDigests } from "./digests.js";
import { invalid, invalidBy } from "./failure.js";
import { archiveLimits, maxTextBytes, type ArchiveLimits } from "./limits.js";
import { existing, parseManifest, type Manifest } from "./manifest.js";
import { extractTar } from "./tar.js";
import { extractZip } from "./zip.js";

export interface ModelFiles {
  /** Path fields are relative to it. */
  readonly root: string;
  /** Archive, folder or file name without its ending: the name when nothing else says one. */
  readonly stem: string;
  /** Path of the model file; rejects with ServerError invalid_model when there is none, or no telling which. */
  readonly artifact: () => Promise<string>;
  /** Whether there is any model file, be it one too many. */
  readonly holdsArtifact: () => Promise<boolean>;
  readonly manifest: Manifest;
  /** model-config.yaml or what stands for it. */
  readonly configFile?: string;
  readonly labelsFile?: string;
}

export interface UnpackOptions {
  readonly cache: string;
  readonly limits?: ArchiveLimits;
  /** Get what an archive is unpacked to, to decide about it. Absent: it stays. */
  readonly claims?: Claims;
}

const archiveExtensions = [".mar", ".zip"];
const tarExtensions = [".tar.gz", ".tgz"];
const isArtifact = (path: string): boolean => artifactExtensions.some((each) => each === extname(path).toLowerCase());
const isTar = (path: string): boolean => tarExtensions.some((each) => path.toLowerCase().endsWith(each));

/** Whether the path's ending is that of an archive, which is unpacked before it is read. */
export function isArchive(path: string): boolean {
  return archiveExtensions.includes(extname(path).toLowerCase()) || isTar(path);
}

/** Whether a file or folder of a model store looks like a model, by its name alone. */
export function looksLikeModel(name: string): boolean {
  return isArchive(name) || isArtifact(name);
}

/** The path's last part without what looksLikeModel knows of. */
export function stemOf(path: string): string {
  return basename(path).replace(/\.(mar|zip|tar\.gz|tgz|pt|pth|ts|pt2)$/i, "");
}

export async function unpack(path: string, options: UnpackOptions): Promise<ModelFiles> {
  const absolute = resolve(path);
  const found = await stat(absolute).catch((error: unknown) => {
    const missing = (error as { code?: unknown }).code === "ENOENT";
    throw missing ? invalid(path, "no such file or folder") : invalidBy(path, error);
  });
  try {
    if (found.isDirectory()) {
      const inside = await onlyArchive(absolute);
      if (inside !== undefined) return await unpack(inside, options);
      await verifyDigests(absolute, path);
      return await fromFolder(absolute, stemOf(absolute));
    }
    if (!found.isFile()) throw invalid(path, "not a regular file or folder");
    if (isArtifact(absolute)) return await fromArtifact(absolute);
    if (!isArchive(absolute)) throw invalid(path, wrongExtension(absolute));
    if (found.size === 0) throw invalid(path, "the file is empty");
    const sha256 = await sha256File(absolute);
    const claim = await cachedFolder(options.cache, sha256, async (into) => {
      await extractArchive(absolute, into, options.limits ?? archiveLimits, path);
    });
    if (options.claims) options.claims.add(claim);
    else claim.keep();
    const { folder } = claim;
    return await fromFolder(isTar(absolute) ? await rootOf(folder) : folder, stemOf(absolute), path);
  } catch (error) {
    throw invalidBy(path, error);
  }
}

/** What a folder holds that is no model itself but has one archive in it, as hosting services lay models down. */
async function onlyArchive(folder: string): Promise<string | undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  // A link may lead out of where models may lie; what is hidden is nobody's model.
  const archives = entries.filter((each) => each.isFile() && isArchive(each.name) && !each.name.startsWith("."));
  const isModel = entries.some(({ name }) => name === "MAR-INF" || isArtifact(name));
  const [only] = archives;
  return isModel || only === undefined || archives.length > 1 ? undefined : join(folder, only.name);
}

/**
 * Unpacks into an existing empty folder and checks the archive's digests, if it has them. Resolves to the model's folder:
 * `into`, or the one folder in it. On failure the caller removes what was written.
 */
export async function extractArchive(
  path: string,
  into: string,
  limits: ArchiveLimits = archiveLimits,
  shown: string = path,
): Promise<string> {
  await (isTar(path) ? extractTar : extractZip)(path, into, limits);
  const root = isTar(path) ? await rootOf(into) : into;
  await verifyDigests(root, shown);
  return root;
}

function wrongExtension(path: string): string {
  const extension = extname(path).toLowerCase();
  const advice: Readonly<Record<string, string>> = {
    ".onnx": "ONNX models are not read; export TorchScript or an AOTInductor package instead",
    ".safetensors": "safetensors holds weights without a model; save TorchScript or an AOTInductor package",
    ".py":
      "a handler or model in Python comes in an archive or folder with MAR-INF/MANIFEST.json: torch-model-archiver or sconce archive create packs one",
    ".pkl": "pickles need Python; save the model as TorchScript",
    ".bin": "a .bin checkpoint holds weights without a model; save the model as TorchScript",
  };
  return (
    advice[extension] ?? `expected a .mar or .tar.gz archive, a folder, or one of ${artifactExtensions.join(", ")}`
  );
}

/** Tar archives hold one folder with everything in it, as torch-model-archiver packs them, or the files themselves. */
async function rootOf(folder: string): Promise<string> {
  const [first, ...others] = await readdir(folder, { withFileTypes: true });
  const one = first?.isDirectory() === true && others.length === 0 && first.name !== "MAR-INF";
  return one ? join(folder, first.name) : folder;
}

async function fromArtifact(path: string): Promise<ModelFiles> {
  const root = dirname(path);
  const stem = stemOf(path);
  const configFile = await firstFile(root, [`${stem}.yaml`, `${stem}.yml`]);
  return {
    root,
    stem,
    artifact: () => Promise.resolve(path),
    holdsArtifact: () => Promise.resolve(true),
    manifest: {},
    ...(configFile === undefined ? {} : { configFile }),
  };
}

/** `shown` is what messages call the folder: the archive that it came from. */
async function fromFolder(root: string, stem: string, shown: string = root): Promise<ModelFiles> {
  const manifestPath = join(root, "MAR-INF", "MANIFEST.json");
  const manifestName = `${shown}: MAR-INF/MANIFEST.json`;
  const manifest = (await isFile(manifestPath)) ? parseManifest(manifestName, await readText(manifestPath)) : {};
  const file = (field: Exclude<keyof Manifest, "lineage">): Promise<string> | undefined => {
    const value = manifest[field];
    return value === undefined ? undefined : existing(root, manifestName, `model.${field}`, value);
  };
  const configFile = (await file("configFile")) ?? (await firstFile(root, ["model-config.yaml", "model-config.yml"]));
  const labelsFile = await firstFile(root, ["index_to_name.json"]);
  return {
    root,
    stem,
    manifest,
    artifact: () => file("serializedFile") ?? onlyArtifact(root, shown),
    holdsArtifact: async () => manifest.serializedFile !== undefined || (await artifactsIn(root)).length > 0,
    ...(configFile === undefined ? {} : { configFile }),
    ...(labelsFile === undefined ? {} : { labelsFile }),
  };
}

async function artifactsIn(root: string): Promise<readonly string[]> {
  const named = (await readdir(root)).filter(isArtifact).sort();
  const kinds = await Promise.all(named.map((name) => isTypeScript(join(root, name))));
  return named.filter((_, i) => kinds[i] !== true);
}

async function onlyArtifact(root: string, shown: string): Promise<string> {
  const names = await artifactsIn(root);
  const [first] = names;
  if (first !== undefined && names.length === 1) return join(root, first);
  const what =
    names.length === 0 ? "holds no .pt or .pt2 file" : `holds several model files (${names.slice(0, 5).join(", ")})`;
  throw invalid(shown, `${what}; a model's folder holds exactly one, or MAR-INF/MANIFEST.json names it`);
}

/** TorchScript's files may end in .ts, too; those are zip files. */
async function isTypeScript(path: string): Promise<boolean> {
  if (extname(path).toLowerCase() !== ".ts") return false;
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.toString("latin1", 0, bytesRead) !== "PK";
  } finally {
    await file.close();
  }
}

async function firstFile(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    if (await isFile(join(root, name))) return join(root, name);
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** A small text file of a model. */
export async function readText(path: string): Promise<string> {
  const { size } = await lstat(path);
  if (size > maxTextBytes)
    throw invalid(path, `${size} bytes, the limit for such a file (maxTextBytes) is ${maxTextBytes}`);
  return readFile(path, "utf8");
}
