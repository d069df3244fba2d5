/**
 * What an archive holds and what a server would make of it, without starting one: for `sconce archive inspect` and
 * `verify`. Unpacks into a temporary folder, which is gone afterwards. Nothing of the model runs in this process.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { ServerError } from "../errors.js";
import type { ModelSpec } from "../types.js";
import { sha256File } from "./cache.js";
import { digestList, filesBelow } from "./digests.js";
import { invalid } from "./failure.js";
import { forwardFault } from "./forward.js";
import { torchWarning } from "./lineage.js";
import type { Manifest } from "./manifest.js";
import { builtinHandlers, scriptPattern } from "./names.js";
import { openModel } from "./open.js";
import { describeMethods, hasProbe, type Method } from "./probe.js";
import { isArchive, unpack, type ModelFiles } from "./unpack.js";

export interface InspectOptions {
  /** The probe's path; methods are left out, and nothing is tried, when it is not built or not given. */
  readonly probeProgram?: string;
  readonly probeTimeoutMs: number;
  /** Program that would run Python handlers. */
  readonly python?: string;
  /** Version of libtorch that would load it, where that is known. */
  readonly libtorch?: string;
  /** What a server would use for what the model does not say. */
  readonly defaults: Pick<ModelSpec, "jobQueueSize" | "responseTimeoutMs" | "maxInstances">;
  readonly signal?: AbortSignal;
}

export interface Inspection {
  readonly path: string;
  readonly form: "archive" | "folder" | "file";
  readonly bytes: number;
  /** Of the archive or file; a folder has none. */
  readonly sha256?: string;
  /** Whether a list of digests came with it; a list that does not fit is a refusal. */
  readonly digests: boolean;
  readonly manifest: Manifest;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** What would run the model. */
  readonly runtime: "libtorch" | "python" | "cpp" | "node";
  readonly handler: string;
  /** What a server would load; missing when it would refuse the model. */
  readonly spec?: ModelSpec;
  /** Whether the model file was loaded in a process of its own. */
  readonly tried: boolean;
  readonly methods: readonly Method[];
  readonly warnings: readonly string[];
  /** Why a server would not load it. */
  readonly refused?: string;
}

/** Rejects with ServerError invalid_model when nothing can be said: the archive cannot be read. */
export async function inspectArchive(path: string, options: InspectOptions): Promise<Inspection> {
  const cache = await mkdtemp(join(tmpdir(), "sconce-inspect-"));
  try {
    return await look(path, cache, options);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

async function look(path: string, cache: string, options: InspectOptions): Promise<Inspection> {
  const files = await unpack(path, { cache });
  const found = await stat(path);
  const form = found.isDirectory() ? "folder" : isArchive(path) ? "archive" : "file";
  const listed = form === "file" ? [{ name: basename(path), bytes: found.size }] : await sizesBelow(files.root);
  return {
    path,
    form,
    bytes: form === "folder" ? listed.reduce((sum, { bytes }) => sum + bytes, 0) : found.size,
    ...(form === "folder" ? {} : { sha256: await sha256File(resolve(path)) }),
    digests: listed.some(({ name }) => name === digestList),
    manifest: files.manifest,
    files: listed,
    runtime: runtimeOf(files),
    handler: files.manifest.handler ?? "base_handler",
    ...(await judge(path, cache, options)),
  };
}

type Judgement = Pick<Inspection, "spec" | "tried" | "methods" | "warnings" | "refused"> & {
  readonly handler?: string;
};

/** What loading would say. */
async function judge(path: string, cache: string, options: InspectOptions): Promise<Judgement> {
  let opened: { readonly spec: ModelSpec; readonly warnings: readonly string[] } | undefined;
  try {
    const { defaults, python, libtorch = "" } = options;
    opened = await openModel({ path }, { cache, defaults, ...(python === undefined ? {} : { python }) });
    const { spec } = opened;
    const newer = hasNoArtifact(spec) ? undefined : torchWarning(path, spec.lineage, libtorch);
    const warnings = newer === undefined ? opened.warnings : [...opened.warnings, newer];
    const methods = await tryLoading(spec, cache, options);
    const fault = forwardFault(spec.signature, methods ?? []);
    if (fault !== undefined) throw invalid(path, fault);
    const handler = spec.handler.name;
    return { spec, handler, warnings, tried: methods !== undefined, methods: methods ?? [] };
  } catch (error) {
    if (!(error instanceof ServerError) || error.code === "cancelled") throw error;
    // Messages of the probe name the unpacked file, which is gone by the time they are read.
    const refused = opened ? error.message.replaceAll(opened.spec.artifact, path) : error.message;
    return { tried: opened !== undefined, methods: [], warnings: opened?.warnings ?? [], refused };
  }
}

async function tryLoading(
  spec: ModelSpec,
  cache: string,
  { probeProgram: program, probeTimeoutMs: timeoutMs, signal }: InspectOptions,
): Promise<readonly Method[] | undefined> {
  if (hasNoArtifact(spec) || program === undefined || !(await hasProbe(program))) return undefined;
  return describeMethods(spec.artifact, { program, timeoutMs, cache, libtorch: "", ...(signal ? { signal } : {}) });
}

const hasNoArtifact = ({ kind }: ModelSpec): boolean => kind === "python" || kind === "handler";

async function sizesBelow(root: string): Promise<Inspection["files"]> {
  const names = await filesBelow(root);
  return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(root, name))).size })));
}

function runtimeOf({ manifest }: ModelFiles): Inspection["runtime"] {
  if (manifest.runtime === "LSP") return "cpp";
  const { handler, modelFile } = manifest;
  if (handler !== undefined && scriptPattern.test(handler)) return "node";
  return modelFile !== undefined || (handler !== undefined && !builtinHandlers.includes(handler))
    ? "python"
    : "libtorch";
}
