/** Every metric once: name, type, labels, words. docs/metrics.md is generated from this table. Seconds and bytes. */

import { type MetricRow, torchserveRows } from "./torchserve-table.js";

export type { MetricRow } from "./torchserve-table.js";

function row<const Name extends string>(
  name: Name,
  type: MetricRow["type"],
  labels: readonly string[],
  help: string,
): MetricRow<Name> {
  return { name, type, labels, help };
}

const model = ["model", "version"] as const;

export const metricTable = [
  row("sconce_build_info", "gauge", ["version", "libtorch", "cuda", "node"], "Always 1; the labels say what runs."),
  row(
    "sconce_requests_total",
    "counter",
    [...model, "code"],
    "Requests that reached a model, by the name of their outcome (see the error reference).",
  ),
  row(
    "sconce_request_duration_seconds",
    "histogram",
    model,
    "From the request's last byte to its finished answer, in the engine.",
  ),
  row("sconce_queue_wait_seconds", "histogram", model, "From the request's last byte to the start of its batch."),
  row("sconce_inference_duration_seconds", "histogram", model, "One run of a batch."),
  row("sconce_batch_size", "histogram", model, "Samples per batch."),
  row("sconce_batches_total", "counter", [...model, "executor"], "Batches run, by executor (inline or lane)."),
  row("sconce_samples_total", "counter", model, "Samples run."),
  row("sconce_request_bytes_total", "counter", model, "Bytes of request bodies that reached a model."),
  row("sconce_response_bytes_total", "counter", model, "Bytes of answers the model gave."),
  row("sconce_queue_depth", "gauge", model, "Requests waiting now; meant for scaling."),
  row("sconce_in_flight", "gauge", model, "Requests waiting or running now; meant for scaling."),
  row("sconce_requests_waited_for_load_total", "counter", model, "Requests that waited for the model to load."),
  row("sconce_handler_count_total", "counter", [...model, "name"], "What a handler in TypeScript counts."),
  row("sconce_handler_value", "gauge", [...model, "name"], "What a handler in TypeScript sets."),
  row("sconce_handler_restarts_total", "counter", model, "Threads of a handler that were started after one had ended."),
  row("sconce_model_state", "gauge", [...model, "state"], "1 for the state the version is in."),
  row("sconce_model_load_duration_seconds", "gauge", model, "How long loading took, or has taken so far."),
  row(
    "sconce_model_memory_bytes",
    "gauge",
    [...model, "device"],
    "Bytes of the model's weights, on each device that holds them.",
  ),
  row(
    "sconce_model_batch_limit",
    "gauge",
    model,
    "Samples that the model's GPU takes at once; less after memory ran out.",
  ),
  row("sconce_device_in_service", "gauge", ["device"], "1, or 0 for a GPU that is lost to this process."),
  row("sconce_device_capacity_bytes", "gauge", ["device"], "Bytes of the GPU that models may hold together."),
  row("sconce_device_reserved_bytes", "gauge", ["device", ...model], "Bytes of the GPU that the model holds."),
  row("sconce_device_running_batches", "gauge", ["device"], "Batches that run on the GPU now, copies included."),
  row("sconce_device_waiting_batches", "gauge", ["device"], "Batches that wait for --gpu-concurrency."),
  row("sconce_device_batches_total", "counter", ["device"], "Batches run on the GPU."),
  row("sconce_device_busy_seconds_total", "counter", ["device"], "Time that batches were on the GPU, added up."),
  row("sconce_device_splits_total", "counter", ["device"], "Batches split because the GPU's memory ran out."),
  row(
    "sconce_model_loads_total",
    "counter",
    ["trigger", "outcome"],
    "Loads, by what asked for them and how they ended.",
  ),
  row(
    "sconce_http_responses_total",
    "counter",
    ["status"],
    "Answers on the inference port by status; 499 is a client that went away, 0 any other status.",
  ),
  row("sconce_http_in_flight", "gauge", [], "HTTP requests without a complete answer."),
  row("sconce_http_connections", "gauge", [], "Open connections to the inference port."),
  row("sconce_http_connections_opened_total", "counter", [], "Connections accepted."),
  row(
    "sconce_http_connections_refused_total",
    "counter",
    ["reason"],
    "Connections closed at once, of all HTTP ports: over --max-connections (total) or --max-connections-per-address (address), or as the process has few file descriptors left (descriptors).",
  ),
  row(
    "sconce_http_writes_cut_total",
    "counter",
    [],
    "Answers whose reader left or was slower than --write-timeout allows.",
  ),
  row(
    "sconce_grpc_calls_total",
    "counter",
    ["status"],
    "gRPC calls by the status they ended with; a client that went away is CANCELLED.",
  ),
  row("sconce_grpc_open_calls", "gauge", [], "gRPC calls without their end; health watches and reflection aside."),
  row("sconce_grpc_connections", "gauge", [], "Open connections to the gRPC ports."),
  row(
    "sconce_grpc_connections_refused_total",
    "counter",
    ["reason"],
    "Connections to the gRPC ports closed at once, by the reasons of sconce_http_connections_refused_total.",
  ),
  row(
    "sconce_token_requests_total",
    "counter",
    ["token", "outcome"],
    "Requests with a token of --tokens-file, REST and gRPC, by its name: allowed, or over its limit (limited).",
  ),
  row("sconce_draining", "gauge", [], "1 while the server is shutting down."),
  ...torchserveRows,
] as const satisfies readonly MetricRow[];

export type MetricName = (typeof metricTable)[number]["name"];
