/**
 * TorchServe's metrics: their values from the snapshot, and the log lines of its modes `log` and `legacy`. Pure, but for
 * what MetricLines remembers of the counters it logged.
 */

import type { ModelEntry } from "../models/models.js";
import type { GpuSample } from "./gpus.js";
import { countedStatuses } from "./http-counters.js";
import type { InferenceTotal } from "./inference-totals.js";
import { javaDouble } from "./java-text.js";
import type { Labels, Sample, Snapshot } from "./samples.js";
import { type MetricRow, torchserveRows, type TorchserveName } from "./torchserve-table.js";

type Reader = (snapshot: Snapshot) => readonly Sample[];

/** Which of TorchServe's metrics the metrics port shows; the others are logged. */
export type MetricsMode = "log" | "prometheus" | "legacy";

export const torchserveReaders: Readonly<Record<TorchserveName, Reader>> = {
  Requests2XX: answers(200),
  Requests4XX: answers(400),
  Requests5XX: answers(500),
  ts_inference_requests_total: perModel((each) => each.requests),
  ts_inference_latency_microseconds: perModel((each) => Math.round(each.requestSeconds * 1e6)),
  ts_queue_latency_microseconds: perModel((each) => Math.round(each.queueSeconds * 1e6)),
  QueueTime: (snapshot) => onHost(snapshot, snapshot.window.queueMs),
  WorkerThreadTime: (snapshot) => onHost(snapshot, snapshot.window.threadMs),
  WorkerLoadTime: ({ entries, hostname }) => entries.filter((each) => each.state === "ready").map(loadTime(hostname)),
  CPUUtilization: (snapshot) => onHost(snapshot, snapshot.window.system?.cpuPercent),
  MemoryUtilization: (snapshot) => onHost(snapshot, snapshot.window.system?.memoryPercent),
  DiskUtilization: (snapshot) => onHost(snapshot, snapshot.window.system?.diskPercent),
  MemoryUsed: (snapshot) => onHost(snapshot, snapshot.window.system?.memoryUsedMb),
  MemoryAvailable: (snapshot) => onHost(snapshot, snapshot.window.system?.memoryAvailableMb),
  DiskUsage: (snapshot) => onHost(snapshot, snapshot.window.system?.diskUsedGb),
  DiskAvailable: (snapshot) => onHost(snapshot, snapshot.window.system?.diskAvailableGb),
  GPUUtilization: perGpu((gpu) => gpu.utilization),
  GPUMemoryUtilization: perGpu(({ memoryUsed, memoryTotal }) =>
    memoryUsed === undefined || !memoryTotal ? undefined : Math.round((1000 * memoryUsed) / memoryTotal) / 10,
  ),
  GPUMemoryUsed: perGpu((gpu) => gpu.memoryUsed),
  HandlerTime: (snapshot) => perModelTime(snapshot, "handlerMs"),
  PredictionTime: (snapshot) => perModelTime(snapshot, "predictionMs"),
};

/** Answers of all ports, the scrapes included, as TorchServe counts them; 499 was sent to nobody. */
function answers(from: number): Reader {
  const statuses = countedStatuses.filter((status) => status >= from && status < from + 100 && status !== 499);
  return (snapshot) => {
    let sum = 0;
    for (const state of [snapshot.http, ...snapshot.otherPorts]) {
      for (const status of statuses) sum += state.answers(status);
    }
    return onHost(snapshot, sum);
  };
}

function perModel(read: (total: InferenceTotal) => number): Reader {
  return ({ inference, hostname }) =>
    inference.map((each) => ({
      labels: { model_name: each.name, model_version: each.version, hostname },
      value: read(each),
    }));
}

function onHost({ hostname }: Snapshot, value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: { Level: "Host", Hostname: hostname }, value }];
}

function perGpu(read: (gpu: GpuSample) => number | undefined): Reader {
  return ({ window, hostname }) =>
    window.gpus.flatMap((gpu) => {
      const value = read(gpu);
      const labels = { Level: "Host", DeviceId: String(gpu.index), Hostname: hostname };
      return value === undefined ? [] : [{ labels, value }];
    });
}

function perModelTime({ window, hostname }: Snapshot, key: "handlerMs" | "predictionMs"): readonly Sample[] {
  return window.models.map((each) => ({
    labels: { ModelName: each.name, Level: "Model", Hostname: hostname },
    value: each[key],
  }));
}

function loadTime(hostname: string): (entry: ModelEntry, index: number) => Sample {
  return ({ name, version, loadSeconds }, index) => ({
    labels: { WorkerName: `W-${firstWorkerPort + index}-${name}_${version}`, Level: "Host", Hostname: hostname },
    value: Math.round(loadSeconds * 1000),
  });
}

/** TorchServe numbers its workers by their ports; here the number only tells them apart. */
const firstWorkerPort = 9000;

/** Whether the metrics port shows the metric. */
export function isExposed(mode: MetricsMode, name: TorchserveName): boolean {
  return mode === "prometheus" || (mode === "legacy" && name.startsWith("ts_"));
}

/** TorchServe keeps what its workers measure apart from what its frontend does. */
export interface MetricLine {
  readonly file: "metrics" | "modelMetrics";
  /** Without line feed. */
  readonly text: string;
}

export type BatchName = "QueueTime" | "WorkerThreadTime" | "HandlerTime" | "PredictionTime";

/** Those whose lines batch-lines.ts writes, as each batch has its own. */
export const batchNames: ReadonlySet<TorchserveName> = new Set<BatchName>([
  "QueueTime",
  "WorkerThreadTime",
  "HandlerTime",
  "PredictionTime",
]);

/** What requests change, of the others. */
const ofTraffic: ReadonlySet<TorchserveName> = new Set([
  ...(["Requests2XX", "Requests4XX", "Requests5XX"] as const),
  ...(["ts_inference_requests_total", "ts_inference_latency_microseconds", "ts_queue_latency_microseconds"] as const),
]);

/** The lines of one moment, but for those of batches. Counters are logged by how much they grew, which is what TorchServe's lines add up to. */
export class MetricLines {
  private readonly mode: MetricsMode;
  /** Of the counters of the last call; what is removed since is forgotten. */
  private logged = new Map<string, number>();

  constructor(mode: MetricsMode) {
    this.mode = mode;
  }

  /** `seconds` since 1970. */
  lines(snapshot: Snapshot, seconds: number, which: "all" | "traffic" = "all"): MetricLine[] {
    const wanted = (name: TorchserveName): boolean => (which === "all" ? !batchNames.has(name) : ofTraffic.has(name));
    const rows = torchserveRows.filter(({ name }) => !isExposed(this.mode, name) && wanted(name));
    const before = this.logged;
    // Every counter is looked at every time.
    this.logged = new Map();
    return rows.flatMap((row) =>
      torchserveReaders[row.name](snapshot)
        .flatMap((sample) => this.line(row, sample, seconds, before))
        .map((text) => ({ file: "metrics" as const, text })),
    );
  }

  private line(
    row: MetricRow<TorchserveName>,
    sample: Sample,
    seconds: number,
    logged: ReadonlyMap<string, number>,
  ): string[] {
    if (!("value" in sample)) return [];
    if (row.type !== "counter") return [metricLine(row, sample.labels, sample.value, seconds)];
    const key = `${row.name} ${JSON.stringify(sample.labels)}`;
    const before = logged.get(key) ?? 0;
    this.logged.set(key, sample.value);
    const grown = sample.value < before ? sample.value : sample.value - before;
    return grown === 0 ? [] : [metricLine(row, sample.labels, grown, seconds)];
  }
}

/** `Name.Unit:value|#Dim:val,Dim2:val|#hostname:h,timestamp:<sec>`. */
export function metricLine(row: MetricRow, labels: Labels, value: number, seconds: number): string {
  return lineMaker(row, labels)(value, seconds);
}

/** For many lines of the same labels. */
export function lineMaker(row: MetricRow, labels: Labels): (value: number, seconds: number) => string {
  const host = labels["Hostname"] ?? labels["hostname"] ?? "";
  const dimensions = Object.entries(labels)
    .filter(([name]) => name !== "Hostname" && name !== "hostname")
    .map(([name, each]) => `${name}:${each}`);
  const before = `${row.name}.${row.unit ?? "Count"}:`;
  const after = `|#${dimensions.join(",")}|#hostname:${host},timestamp:`;
  return (value, seconds) => `${before}${javaDouble(String(value))}${after}${seconds}`;
}
