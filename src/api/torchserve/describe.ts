/** `GET /models` and `GET /models/{m}[/{v}|/all]`, with TorchServe's fields and, under `sconce`, what it has no words for. */

import { residentBytes } from "../../metrics/system.js";
import { loadWarnings } from "../../models/checks.js";
import type { ModelEntry } from "../../models/models.js";
import { schemaOf } from "../../models/schema.js";
import { mergedEvents, type ModelEvent } from "../../telemetry/events.js";

/** What describe shows of the engine's counters. */
export interface ServingStats {
  readonly name: string;
  readonly version: string;
  readonly queueDepth: number;
  readonly instances: number;
  /** Instances whose thread has not ended. */
  readonly lanes: number;
  readonly executor: string;
  readonly executorReason: string;
  /** What happened to its workers. */
  readonly events?: readonly ModelEvent[];
  /** Of each instance, the GPU that it runs on. */
  readonly gpus?: readonly number[];
  /** Rows that its GPU takes at once now. */
  readonly batchLimit?: number;
  /** Where an instance is a process of its own. */
  readonly workers?: readonly { readonly pid: number | undefined; readonly ready: boolean; readonly since: string }[];
}

/** What describe shows of a GPU. */
export interface DeviceUse {
  readonly index: number;
  /** Promised to models. */
  readonly reservedBytes: number;
}

/** TorchServe's word for the archives it runs; what runs them here stands in `sconce.kind`. */
const runtime = "python";

/** TorchServe's page size, and the most it gives. */
const maxPage = 100;

/** `query` as sent. Bad numbers count as the defaults, as in TorchServe. */
export function listModels(entries: readonly ModelEntry[], query: string): unknown {
  const parameters = new URLSearchParams(query);
  const wanted = wholeNumber(parameters.get("limit"), maxPage);
  const limit = wanted < 0 || wanted > maxPage ? maxPage : wanted;
  const from = Math.max(0, wholeNumber(parameters.get("next_page_token"), 0));
  const shown = defaults(entries);
  const models = shown.slice(from, from + limit).map((entry) => ({ modelName: entry.name, modelUrl: urlOf(entry) }));
  return from + limit <= shown.length ? { nextPageToken: String(from + limit), models } : { models };
}

/** One entry per name: its default version, or its only one while it loads or has failed; by name. */
function defaults(entries: readonly ModelEntry[]): readonly ModelEntry[] {
  const byName = new Map<string, ModelEntry>();
  for (const entry of entries) if (entry.isDefault || !byName.has(entry.name)) byName.set(entry.name, entry);
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function urlOf({ url, spec }: ModelEntry): string {
  return url ?? spec?.source ?? "";
}

function wholeNumber(text: string | null, otherwise: number): number {
  return text !== null && /^[+-]?[0-9]{1,9}$/.test(text) ? Number(text) : otherwise;
}

export interface Described {
  readonly stats: readonly ServingStats[];
  readonly devices?: readonly DeviceUse[];
  /** What is logged of the model. */
  readonly logLevel: string;
  /** What the handler says, where that is asked for. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Whether the handler is to be asked, too; TorchServe asks none for `all`. */
export function isCustomized(version: string, query: string): boolean {
  return version !== "all" && new URLSearchParams(query).get("customized")?.toLowerCase() === "true";
}

/** version "": the default; "all": every one. Undefined when there is none. */
export function describeModel(
  versions: readonly ModelEntry[],
  version: string,
  { stats, devices = [], logLevel, metadata }: Described,
): unknown[] | undefined {
  const chosen = choose(versions, version);
  if (chosen.length === 0) return undefined;
  return chosen.map((entry) => {
    const served = stats.find((each) => each.name === entry.name && each.version === entry.version);
    const described = describeEntry(entry, { stats: served, devices, logLevel });
    return metadata === undefined ? described : { ...described, customizedMetadata: metadata };
  });
}

export function choose(versions: readonly ModelEntry[], version: string): readonly ModelEntry[] {
  if (version === "all") return versions;
  if (version !== "") return versions.filter((entry) => entry.version === version);
  const only = versions.find((entry) => entry.isDefault) ?? versions[0];
  return only === undefined ? [] : [only];
}

interface Shown {
  readonly stats: ServingStats | undefined;
  readonly devices: readonly DeviceUse[];
  readonly logLevel: string;
}

function describeEntry(entry: ModelEntry, { stats, devices, logLevel }: Shown): Readonly<Record<string, unknown>> {
  const { spec, report } = entry;
  const waiting = stats?.queueDepth ?? 0;
  const instances = stats?.instances ?? spec?.instances ?? 0;
  return {
    modelName: entry.name,
    modelVersion: entry.version,
    modelUrl: urlOf(entry),
    runtime,
    minWorkers: entry.workers?.min ?? instances,
    maxWorkers: entry.workers?.max ?? instances,
    batchSize: report?.batchSize ?? spec?.batchSize ?? 1,
    maxBatchDelay: spec?.maxBatchDelayMs ?? 0,
    responseTimeout: seconds(spec?.responseTimeoutMs ?? 0),
    startupTimeout: seconds(spec?.startupTimeoutMs ?? 0),
    ...fixedFields(spec),
    loadedAtStartup: entry.loadedAtStartup,
    workers: workersOf(entry, stats, devices),
    jobQueueStatus: {
      remainingCapacity: Math.max(0, (spec?.jobQueueSize ?? 0) - waiting),
      pendingRequests: waiting,
    },
    sconce: { ...ownFields(entry, stats), logLevel },
  };
}

/** TorchServe's default. */
const defaultRetryMs = 300_000;

/** What TorchServe's clients read and has one value here, between startupTimeout and loadedAtStartup as TorchServe has it. */
function fixedFields(spec: ModelEntry["spec"]): Readonly<Record<string, unknown>> {
  return {
    maxRetryTimeoutInSec: Math.round((spec?.python?.maxRetryMs ?? defaultRetryMs) / 1000),
    clientTimeoutInMills: spec?.clientTimeoutMs ?? 0,
    parallelType: "",
    parallelLevel: 0,
    deviceType: spec?.gpu === undefined ? "cpu" : "gpu",
    ...(spec?.deviceIds === undefined ? {} : { deviceIds: spec.deviceIds }),
    continuousBatching: false,
    useJobTicket: false,
    useVenv: spec?.python?.useVenv === true,
    stateful: spec?.stateful ?? false,
    sequenceMaxIdleMSec: 0,
    sequenceTimeoutMSec: 0,
    maxNumSequence: 0,
    maxSequenceJobQueueSize: 0,
  };
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}

/**
 * One per Python worker, with its process and that one's memory. Else one per instance; they share the process and its
 * weights, which the first one shows. Those over the number asked for
 * end after their last batch.
 */
function workersOf(entry: ModelEntry, stats: ServingStats | undefined, devices: readonly DeviceUse[]): unknown[] {
  if (stats?.workers !== undefined) {
    return stats.workers.map(({ pid, ready, since }, index) => ({
      id: String(index),
      startTime: since,
      status: ready ? "READY" : "UNLOADING",
      memoryUsage: pid === undefined ? 0 : residentBytes(pid),
      pid: pid ?? 0,
      gpu: false,
      gpuUsage: "N/A",
    }));
  }
  const { spec, report, workerTimes } = entry;
  const count = stats === undefined ? Math.max(1, spec?.instances ?? 1) : Math.max(stats.lanes, stats.instances);
  const wanted = stats?.instances ?? count;
  return Array.from({ length: count }, (_, index) => ({
    id: String(index),
    startTime: workerTimes?.[index] ?? entry.since,
    status: index < wanted ? workerStatus(entry.state) : "UNLOADING",
    memoryUsage: index === 0 ? (report?.weightsBytes ?? 0) : 0,
    pid: process.pid,
    ...gpuOf(stats?.gpus?.[index], devices),
  }));
}

const mebibyte = 1_048_576;

/** TorchServe's line, which it has from nvidia-smi; how busy a GPU is stands in the metrics. */
function gpuOf(
  gpu: number | undefined,
  devices: readonly DeviceUse[],
): { readonly gpu: boolean; readonly gpuUsage: string } {
  if (gpu === undefined) return { gpu: false, gpuUsage: "N/A" };
  const used = Math.round((devices.find(({ index }) => index === gpu)?.reservedBytes ?? 0) / mebibyte);
  return {
    gpu: true,
    gpuUsage: `gpuId::${gpu} utilization.gpu::N/A utilization.memory::N/A memory.used::${used} MiB`,
  };
}

/** TorchServe's two words for a worker. */
function workerStatus(state: ModelEntry["state"]): "READY" | "UNLOADING" {
  return state === "ready" ? "READY" : "UNLOADING";
}

function ownFields(entry: ModelEntry, stats: ServingStats | undefined): object {
  const { spec, report } = entry;
  const loading = entry.state === "loading";
  return {
    state: entry.state,
    reason: entry.reason,
    phase: loading ? entry.phase : undefined,
    since: entry.since,
    events: mergedEvents(entry.events ?? [], stats?.events ?? []),
    isDefault: entry.isDefault,
    loadSeconds: entry.loadSeconds,
    phases: entry.phases,
    kind: spec?.kind,
    sha256: spec?.sha256,
    handler: spec?.handler.name,
    declared: spec?.signature.declared,
    inputs: spec?.signature.inputs,
    outputs: spec?.signature.outputs,
    schema: schemaOf(entry),
    lineage: spec?.lineage,
    warnings: [...(spec?.warnings ?? []), ...(spec && report ? loadWarnings(spec, report) : [])],
    executor: stats?.executor ?? report?.executor,
    executorReason: stats?.executorReason ?? report?.executorReason,
    form: report?.form,
    formReason: report?.formReason,
    batchSize: report?.batchSize,
    batchReason: report?.batchReason,
    batchLimit: stats?.batchLimit,
    load: report,
  };
}
