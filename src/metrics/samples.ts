/** What the metrics' values are now, from the engine's counters, the catalog and the HTTP threads. Pure. */

import type { DeviceStats, EngineInfo, Histogram, ModelStats } from "../engine/engine.js";
import { errorCodeAt } from "../errors.js";
import type { ModelEntry, ModelState } from "../models/models.js";
import type { LoadCount } from "../models/models.js";
import { countedStatuses, type HttpState } from "./http-counters.js";
import type { InferenceTotal } from "./inference-totals.js";
import type { LoadWaits } from "./load-waits.js";
import { refusalReasons, type RpcCounters, rpcStatusNames } from "./rpc-counters.js";
import type { MetricName } from "./table.js";
import { torchserveReaders } from "./torchserve.js";
import type { Window } from "./window.js";

export type Labels = Readonly<Record<string, string>>;

export type Sample =
  { readonly labels: Labels; readonly value: number } | { readonly labels: Labels; readonly histogram: Histogram };

export interface Snapshot {
  readonly version: string;
  readonly node: string;
  readonly hostname: string;
  readonly engine: EngineInfo;
  readonly stats: readonly ModelStats[];
  /** GPUs in use. */
  readonly devices: readonly DeviceStats[];
  readonly entries: readonly ModelEntry[];
  readonly loads: readonly LoadCount[];
  readonly waits: Pick<LoadWaits, "of">;
  /** The inference port's. */
  readonly http: HttpState;
  /** The management and metrics ports', which only TorchServe's names count. */
  readonly otherPorts: readonly HttpState[];
  readonly rpc: RpcCounters;
  readonly window: Window;
  /** As TorchServe counts predictions. */
  readonly inference: readonly InferenceTotal[];
  /** By the names of the tokens file. */
  readonly tokens: readonly { readonly name: string; readonly allowed: number; readonly limited: number }[];
}

type Reader = (snapshot: Snapshot) => readonly Sample[];

const states: readonly ModelState[] = ["loading", "ready", "failed", "unloading"];

/** One reader per row of the table; the compiler holds the two together. */
export const readers: Readonly<Record<MetricName, Reader>> = {
  sconce_build_info: ({ version, engine, node }) => [
    { labels: { version, libtorch: engine.libtorch, cuda: String(engine.cuda), node }, value: 1 },
  ],
  sconce_requests_total: ({ stats }) => stats.flatMap(requestsByCode),
  sconce_request_duration_seconds: histogram((each) => each.requestSeconds),
  sconce_queue_wait_seconds: histogram((each) => each.queueSeconds),
  sconce_inference_duration_seconds: histogram((each) => each.inferenceSeconds),
  sconce_batch_size: histogram((each) => each.batchRows),
  sconce_batches_total: ({ stats }) => stats.flatMap(batchesByExecutor),
  sconce_samples_total: perModel((each) => each.rows),
  sconce_request_bytes_total: perModel((each) => each.requestBytes),
  sconce_response_bytes_total: perModel((each) => each.responseBytes),
  sconce_queue_depth: perModel((each) => each.queueDepth),
  sconce_in_flight: perModel((each) => each.inFlight),
  sconce_requests_waited_for_load_total: ({ stats, waits }) =>
    stats.map((each) => ({ labels: named(each), value: waits.of(each) })),
  sconce_handler_count_total: handlerFigures((each) => each.counts),
  sconce_handler_value: handlerFigures((each) => each.values),
  sconce_handler_restarts_total: ({ stats }) =>
    stats.flatMap((each) => (each.handler ? [{ labels: named(each), value: each.handler.restarts }] : [])),
  sconce_model_state: ({ entries }) =>
    entries.flatMap((entry) =>
      states.map((state) => ({ labels: { ...named(entry), state }, value: entry.state === state ? 1 : 0 })),
    ),
  sconce_model_load_duration_seconds: ({ entries }) =>
    entries.map((entry) => ({ labels: named(entry), value: entry.loadSeconds })),
  sconce_model_memory_bytes: ({ entries, devices }) =>
    entries.flatMap((entry) => {
      const { report } = entry;
      if (report === undefined) return [];
      const held = homesOf(entry, devices);
      return held.map((device) => ({ labels: { ...named(entry), device }, value: report.weightsBytes }));
    }),
  sconce_model_batch_limit: ({ stats }) =>
    stats.flatMap((each) => (each.batchLimit === undefined ? [] : [{ labels: named(each), value: each.batchLimit }])),
  sconce_device_in_service: perDevice((each) => (each.inService ? 1 : 0)),
  sconce_device_capacity_bytes: perDevice((each) => each.capacityBytes),
  sconce_device_reserved_bytes: ({ devices }) =>
    devices.flatMap(({ name: device, models }) =>
      Object.entries(models).map(([model, value]) => ({ labels: { device, ...versionOf(model) }, value })),
    ),
  sconce_device_running_batches: perDevice((each) => each.running),
  sconce_device_waiting_batches: perDevice((each) => each.waiting),
  sconce_device_batches_total: perDevice((each) => each.batches),
  sconce_device_busy_seconds_total: perDevice((each) => each.busySeconds),
  sconce_device_splits_total: perDevice((each) => each.splits),
  sconce_model_loads_total: ({ loads }) =>
    loads.map(({ trigger, outcome, count }) => ({ labels: { trigger, outcome }, value: count })),
  sconce_http_responses_total: ({ http }) =>
    countedStatuses.map((status) => ({ labels: { status: String(status) }, value: http.answers(status) })),
  sconce_http_in_flight: ({ http }) => single(http.total("in_flight")),
  sconce_http_connections: ({ http }) => single(http.connections),
  sconce_http_connections_opened_total: ({ http }) => single(http.total("connections_opened")),
  sconce_http_connections_refused_total: ({ http, otherPorts }) =>
    refusalReasons.map((reason) => ({
      labels: { reason },
      value: [http, ...otherPorts].reduce((sum, port) => sum + port.total(`refused_${reason}`), 0),
    })),
  sconce_http_writes_cut_total: ({ http }) => single(http.total("writes_cut")),
  sconce_grpc_calls_total: ({ rpc }) =>
    rpcStatusNames
      .filter((status) => status === "OK" || rpc.ended(status) > 0)
      .map((status) => ({ labels: { status }, value: rpc.ended(status) })),
  sconce_grpc_open_calls: ({ rpc }) => single(rpc.open),
  sconce_grpc_connections: ({ rpc }) => single(rpc.connections),
  sconce_grpc_connections_refused_total: ({ rpc }) =>
    refusalReasons.map((reason) => ({ labels: { reason }, value: rpc.refused(reason) })),
  sconce_token_requests_total: ({ tokens }) =>
    tokens.flatMap(({ name: token, allowed, limited }) => [
      { labels: { token, outcome: "allowed" }, value: allowed },
      { labels: { token, outcome: "limited" }, value: limited },
    ]),
  sconce_draining: ({ http }) => single(http.draining ? 1 : 0),
  ...torchserveReaders,
};

function named({ name, version }: { readonly name: string; readonly version: string }): Labels {
  return { model: name, version };
}

/** Each GPU that a model runs on holds its weights. */
function homesOf({ name, version }: ModelEntry, devices: readonly DeviceStats[]): readonly string[] {
  const gpus = devices.filter(({ models }) => models[`${name}/${version}`] !== undefined);
  return gpus.length === 0 ? ["cpu"] : gpus.map((device) => device.name);
}

function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}

function perDevice(read: (device: DeviceStats) => number): Reader {
  return ({ devices }) => devices.map((each) => ({ labels: { device: each.name }, value: read(each) }));
}

/** Of "name/version"; neither has a slash. */
function versionOf(model: string): Labels {
  const [name = "", version = ""] = model.split("/");
  return named({ name, version });
}

function perModel(read: (stats: ModelStats) => number): Reader {
  return ({ stats }) => stats.map((each) => ({ labels: named(each), value: read(each) }));
}

function histogram(read: (stats: ModelStats) => Histogram): Reader {
  return ({ stats }) => stats.map((each) => ({ labels: named(each), histogram: read(each) }));
}

type HandlerFigures = NonNullable<ModelStats["handler"]>;

function handlerFigures(read: (handler: HandlerFigures) => HandlerFigures["counts"]): Reader {
  return ({ stats }) =>
    stats.flatMap((each) =>
      each.handler === undefined
        ? []
        : read(each.handler).map(([name, value]) => ({ labels: { ...named(each), name }, value })),
    );
}

/** Outcomes that never happened have no series; "ok" always has one. */
function requestsByCode(stats: ModelStats): readonly Sample[] {
  return stats.requestsByCode.flatMap((value, index) => {
    if (value === 0 && index !== 0) return [];
    const code = errorCodeAt(index);
    return [{ labels: { ...named(stats), code }, value }];
  });
}

function batchesByExecutor(stats: ModelStats): readonly Sample[] {
  return [
    { labels: { ...named(stats), executor: "inline" }, value: stats.inlineBatches },
    { labels: { ...named(stats), executor: "lane" }, value: stats.batches - stats.inlineBatches },
  ];
}
