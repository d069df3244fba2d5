/** `GET /models` and `GET /models/{m}[/{v}|/all]`, with TorchServe's fields and, under `sconce`, what it has no words for. */

import type { ModelEntry } from "../../models/models.js";

/** What describe shows of the engine's counters. */
export interface ServingStats {
  readonly name: string;
  readonly version: string;
  readonly queueDepth: number;
  readonly executor: string;
  readonly executorReason: string;
}

/** TorchServe's page size, and the most it gives. */
const maxPage = 100;

/** `query` as sent. Bad numbers count as the defaults, as in TorchServe. */
export function listModels(entries: readonly ModelEntry[], query: string): unknown {
  const parameters = new URLSearchParams(query);
  const wanted = wholeNumber(parameters.get("limit"), maxPage);
  const limit = wanted < 0 || wanted > maxPage ? maxPage : wanted;
  const from = Math.max(0, wholeNumber(parameters.get("next_page_token"), 0));
  const shown = defaults(entries);
  const models = shown
    .slice(from, from + limit)
    .map((entry) => ({ modelName: entry.name, modelUrl: entry.spec?.source ?? "" }));
  return from + limit <= shown.length ? { nextPageToken: String(from + limit), models } : { models };
}

/** One entry per name: its default version, or its only one while it loads or has failed; by name. */
function defaults(entries: readonly ModelEntry[]): readonly ModelEntry[] {
  const byName = new Map<string, ModelEntry>();
  for (const entry of entries) if (entry.isDefault || !byName.has(entry.name)) byName.set(entry.name, entry);
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function wholeNumber(text: string | null, otherwise: number): number {
  return text !== null && /^[+-]?[0-9]{1,9}$/.test(text) ? Number(text) : otherwise;
}

/** version "": the default; "all": every one. Undefined when there is none. */
export function describeModel(
  versions: readonly ModelEntry[],
  version: string,
  stats: readonly ServingStats[],
): unknown[] | undefined {
  const chosen = choose(versions, version);
  if (chosen.length === 0) return undefined;
  return chosen.map((entry) =>
    describeEntry(
      entry,
      stats.find((each) => each.name === entry.name && each.version === entry.version),
    ),
  );
}

function choose(versions: readonly ModelEntry[], version: string): readonly ModelEntry[] {
  if (version === "all") return versions;
  if (version !== "") return versions.filter((entry) => entry.version === version);
  const only = versions.find((entry) => entry.isDefault) ?? versions[0];
  return only === undefined ? [] : [only];
}

function describeEntry(entry: ModelEntry, stats: ServingStats | undefined): unknown {
  const { spec, report } = entry;
  const instances = spec?.instances ?? 0;
  return {
    modelName: entry.name,
    modelVersion: entry.version,
    modelUrl: spec?.source ?? "",
    runtime: "native",
    minWorkers: instances,
    maxWorkers: instances,
    batchSize: report?.batchSize ?? spec?.batchSize ?? 1,
    maxBatchDelay: spec?.maxBatchDelayMs ?? 0,
    responseTimeout: Math.round((spec?.responseTimeoutMs ?? 0) / 1000),
    parallelType: "",
    parallelLevel: 1,
    deviceType: "cpu",
    continuousBatching: false,
    useJobTicket: false,
    useVenv: false,
    stateful: spec?.stateful ?? false,
    loadedAtStartup: entry.loadedAtStartup,
    workers: [
      {
        id: "0",
        startTime: entry.since,
        status: workerStatus(entry.state),
        memoryUsage: report?.weightsBytes ?? 0,
        pid: process.pid,
        gpu: false,
        gpuUsage: "N/A",
      },
    ],
    jobQueueStatus: {
      remainingCapacity: Math.max(0, (spec?.jobQueueSize ?? 0) - (stats?.queueDepth ?? 0)),
      pendingRequests: stats?.queueDepth ?? 0,
    },
    sconce: ownFields(entry, stats),
  };
}

/** TorchServe's two words for a worker. */
function workerStatus(state: ModelEntry["state"]): "READY" | "UNLOADING" {
  return state === "ready" ? "READY" : "UNLOADING";
}

function ownFields(entry: ModelEntry, stats: ServingStats | undefined): unknown {
  const { spec, report } = entry;
  return {
    state: entry.state,
    reason: entry.reason,
    phase: entry.phase,
    since: entry.since,
    isDefault: entry.isDefault,
    loadSeconds: entry.loadSeconds,
    kind: spec?.kind,
    sha256: spec?.sha256,
    handler: spec?.handler.name,
    declared: spec?.signature.declared,
    inputs: spec?.signature.inputs,
    outputs: spec?.signature.outputs,
    executor: stats?.executor ?? report?.executor,
    executorReason: stats?.executorReason ?? report?.executorReason,
    load: report,
  };
}
