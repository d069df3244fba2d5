/** From a source to a spec that is safe to hand to the engine: unpacked, checked, tried in a process of its own. */
import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheCandidates, openCache, type Claims } from "../archive/cache.js";
import { renamed } from "../archive/failure.js";
import { openModel, type ModelRequest, type OpenedModel, type OpenOptions } from "../archive/open.js";
import { torchWarning } from "../archive/lineage.js";
import { withOperatorWords } from "../archive/operators.js";
import { hasProbe, probe } from "../archive/probe.js";
import type { ServeConfig } from "../config/serve-config.js";
import { allowListOf, type AllowList } from "../download/allow-list.js";
import { type FetchedModel, fetchModel } from "../download/fetch-model.js";
import { isUrl } from "../download/url.js";
import { buildEngine } from "../config/build-commands.js";
import type { GpuPicture } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import type { ModelSpec } from "../types.js";
import { BoundedCalls } from "./bounded-calls.js";
import type { RegisterRequest } from "./models.js";
import { placed } from "./placement.js";
import type { Said } from "./sources.js";
import type { Within } from "./store.js";
import { Turns } from "./turns.js";

export interface PrepareOptions {
  readonly config: ServeConfig;
  readonly log: Log;
  /** Version of libtorch, for probe verdicts. */
  readonly libtorch: string;
  readonly gpus: GpuPicture;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly probeProgram: string;
  readonly within: Within;
}

export interface PrepareRequest {
  readonly path: string;
  readonly name?: string;
  /** What a registration says beside it. A model's own model-config.yaml wins, except over batch size and delay. */
  readonly said?: Said & Pick<RegisterRequest, "handler">;
  readonly signal: AbortSignal;
  /** Called as each of waiting, download and open begins. */
  readonly onPhase: (phase: "waiting" | "download" | "open") => void;
  /** Get what is put on the disk; the caller keeps or drops it with the model. */
  readonly claims: Claims;
  /** Called once the archive is read, before the probe; throws to stop there. */
  readonly onSpec: (spec: ModelSpec) => void;
}

export type Prepare = (request: PrepareRequest) => Promise<ModelSpec>;

/** Two folders up from both src/models and dist/models. */
export const builtProbe = fileURLToPath(new URL("../../build/Release/sconce-probe", import.meta.url));

/** At most this many archives are unpacked or probed at once. */
const parallel = 2;
/** At most this many are fetched at once: what waits for a slow server keeps nobody from unpacking. */
const maxDownloads = 16;

export function createPrepare(options: PrepareOptions): Prepare {
  const { config } = options;
  const turns = new Turns(parallel);
  const downloads = new Turns(maxDownloads);
  const uid = process.getuid?.() ?? 0;
  const allow = allowListOf(config);
  const reads = new BoundedCalls(parallel);
  let cache: Promise<string> | undefined;

  return async (request) => {
    const { signal, onPhase } = request;
    signal.throwIfAborted();
    const turn = { signal, onWait: () => onPhase("waiting") };
    const folder = await (cache ??= openCache(cacheCandidates(options.env, uid), uid));
    const open = { ...openOptions(request, config, folder), claims: request.claims };
    const fetch = (): Promise<FetchedModel> => {
      onPhase("download");
      return fetchFor(request, folder, options, allow);
    };
    const fetched = isUrl(request.path) ? await downloads.run(fetch, turn) : undefined;
    return turns.run(async () => {
      onPhase("open");
      const opened = await (fetched === undefined
        ? openLocal(request, open, options, reads)
        : openFetched(request, open, fetched));
      return accept(request, opened, options, folder);
    }, turn);
  };
}

function openOptions({ said = {} }: PrepareRequest, config: ServeConfig, cache: string): OpenOptions {
  const { jobQueueSize, maxInstances, hookTimeoutMs } = config;
  const startupTimeoutMs = said.startupTimeoutMs ?? config.probeTimeoutMs;
  const { maxWorkers } = said;
  const responseTimeoutMs = said.responseTimeoutMs ?? config.responseTimeoutMs;
  const instances = said.workers ?? config.defaultWorkers;
  const most = maxWorkers === undefined ? {} : { maxWorkers };
  const figures = { jobQueueSize, responseTimeoutMs, maxInstances, instances, startupTimeoutMs, hookTimeoutMs };
  const { modelSettings: settings, installPyDepPerModel: installs, python } = config;
  return {
    cache,
    defaults: { ...figures, ...most },
    settings,
    ...(installs ? {} : { python }),
  };
}

/** What was opened as it will be loaded, once it was tried. */
async function accept(
  request: PrepareRequest,
  { spec: found, warnings: said }: OpenedModel,
  options: PrepareOptions,
  cache: string,
): Promise<ModelSpec> {
  const { config, log, libtorch, gpus } = options;
  const { kind, source, lineage } = found;
  const newer = kind === "python" || kind === "handler" ? undefined : torchWarning(source, lineage, libtorch);
  const place = placed(found, gpus, config.compat);
  const warnings = [...said, newer, place.warning].filter((each) => each !== undefined);
  const spec = { ...keyed(batchedAs(place.spec, request.said ?? {}), config, isUrl(request.path)), warnings };
  for (const warning of warnings) log.warn(warning);
  request.onSpec(spec);
  request.signal.throwIfAborted();
  if (isProbed(spec) && (await wantsProbe(options))) {
    const timeoutMs = spec.startupTimeoutMs ?? config.probeTimeoutMs;
    const child = { program: options.probeProgram, timeoutMs, cache, libtorch, signal: request.signal };
    await probe(spec.artifact, spec.sha256, config.probe === "auto", child).catch((error: unknown) => {
      throw withOperatorWords(error);
    });
  }
  return spec;
}

/** The probe has no GPU, and a package that was compiled for one loads nowhere else. */
function isProbed({ kind, gpu }: ModelSpec): boolean {
  return kind === "torchscript" || (kind === "aotinductor" && gpu === undefined);
}

/**
 * Each load of a handler in TypeScript is one of its own, also of the same version. Files that the operator named are
 * trusted; what was fetched is not, whatever it says of itself.
 */
function keyed(spec: ModelSpec, config: ServeConfig, fetched: boolean): ModelSpec {
  const { handler } = spec;
  const { handlerIsolation: wanted, handlerMemory: maxMemory } = config;
  if (handler.script === undefined) return spec;
  const isolation = wanted !== "auto" ? wanted : fetched ? "process" : handler.script.isolation;
  return { ...spec, handler: { ...handler, script: { ...handler.script, key: randomUUID(), isolation, maxMemory } } };
}

function batchedAs(spec: ModelSpec, said: NonNullable<PrepareRequest["said"]>): ModelSpec {
  const { batchSize, maxBatchDelayMs } = said;
  return {
    ...spec,
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(maxBatchDelayMs === undefined ? {} : { maxBatchDelayMs }),
  };
}

function namedOf({ path, name, said }: PrepareRequest): ModelRequest {
  const handler = said?.handler;
  return { path, ...(name === undefined ? {} : { name }), ...(handler === undefined ? {} : { handler }) };
}

/** A path that hangs, as on a dead mount, is known by a first look; reading it may take as long as loading it. */
async function openLocal(
  request: PrepareRequest,
  open: OpenOptions,
  { config, within }: PrepareOptions,
  reads: BoundedCalls,
): Promise<OpenedModel> {
  await within(() => stat(request.path).catch(() => undefined));
  const timeoutMs = request.said?.startupTimeoutMs ?? config.probeTimeoutMs;
  const bound = { what: `${request.path} (startupTimeout, --probe-timeout)`, timeoutMs, signal: request.signal };
  return reads.run(() => openModel(namedOf(request), open), bound);
}

/** The archive in the cache; its bytes go if they are refused. */
async function fetchFor(
  { path: url, claims, signal }: PrepareRequest,
  cache: string,
  { config, log }: PrepareOptions,
  allow: AllowList,
): Promise<FetchedModel> {
  signal.throwIfAborted();
  const { maxDownloadSize: maxBytes, downloadTimeoutMs: timeoutMs } = config;
  const fetched = await fetchModel(url, { allow, maxBytes, timeoutMs, folder: join(cache, "downloads"), signal });
  const invalid = (why: unknown): boolean => why instanceof ServerError && why.code === "invalid_model";
  claims.add({
    keep: () => undefined,
    drop: (why) => (invalid(why) ? fetched.discard() : Promise.resolve()),
  });
  log.info("model fetched", { source: fetched.shown, pinned: fetched.pinned });
  return fetched;
}

/** What is said of the model names the URL. */
async function openFetched(
  request: PrepareRequest,
  open: OpenOptions,
  { path, shown }: FetchedModel,
): Promise<OpenedModel> {
  try {
    const { spec, warnings } = await openModel({ ...namedOf(request), path }, open);
    return { spec: { ...spec, source: shown }, warnings: warnings.map((each) => each.replaceAll(path, shown)) };
  } catch (error) {
    return renamed(error, path, shown);
  }
}

async function wantsProbe({ config, log, probeProgram }: PrepareOptions): Promise<boolean> {
  if (config.probe === "never") return false;
  if (await hasProbe(probeProgram)) return true;
  if (config.probe === "always") {
    throw new ServerError("internal", `--probe always, and ${probeProgram} is not built: run ${buildEngine}`);
  }
  log.warn("models are loaded without a probe, which is not built", { program: probeProgram });
  return false;
}
