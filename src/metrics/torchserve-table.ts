/** TorchServe's metrics, under its names and with its labels in its order, so that existing dashboards go on. */

export interface MetricRow<Name extends string = string> {
  readonly name: Name;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** TorchServe's word, for its log lines; sconce's own names say theirs. */
  readonly unit?: string;
}

function row<const Name extends string>(
  name: Name,
  type: MetricRow["type"],
  unit: string,
  labels: readonly string[],
  help: string,
): MetricRow<Name> {
  return { name, type, labels, help, unit };
}

const host = ["Level", "Hostname"] as const;
const gpu = ["Level", "DeviceId", "Hostname"] as const;
const model = ["model_name", "model_version", "hostname"] as const;
const handler = ["ModelName", "Level", "Hostname"] as const;

export const torchserveRows = [
  row("Requests2XX", "counter", "Count", host, "TorchServe: answers with 200 to 299, on all ports."),
  row("Requests4XX", "counter", "Count", host, "TorchServe: answers with 400 to 499, on all ports."),
  row("Requests5XX", "counter", "Count", host, "TorchServe: answers with 500 to 599, on all ports."),
  row("ts_inference_requests_total", "counter", "Count", model, "TorchServe: predictions, also those that failed."),
  row("ts_inference_latency_microseconds", "counter", "Microseconds", model, "TorchServe: sum of request durations."),
  row("ts_queue_latency_microseconds", "counter", "Microseconds", model, "TorchServe: sum of queue waits."),
  row("QueueTime", "gauge", "Milliseconds", host, "TorchServe: wait for a batch, mean of the last busy interval."),
  row(
    "WorkerThreadTime",
    "gauge",
    "Milliseconds",
    host,
    "TorchServe: a request's time beside waiting and the model's run, mean of the last busy interval.",
  ),
  row("WorkerLoadTime", "gauge", "Milliseconds", ["WorkerName", ...host], "TorchServe: how long loading took."),
  row("CPUUtilization", "gauge", "Percent", host, "TorchServe: the machine's CPU time in use in the last interval."),
  row("MemoryUtilization", "gauge", "Percent", host, "TorchServe: the machine's memory that is not available."),
  row("DiskUtilization", "gauge", "Percent", host, "TorchServe: the root file system's space in use."),
  row("MemoryUsed", "gauge", "Megabytes", host, "TorchServe: the machine's memory in use."),
  row("MemoryAvailable", "gauge", "Megabytes", host, "TorchServe: the machine's available memory."),
  row("DiskUsage", "gauge", "Gigabytes", host, "TorchServe: the root file system's space in use."),
  row("DiskAvailable", "gauge", "Gigabytes", host, "TorchServe: the root file system's free space."),
  row(
    "GPUUtilization",
    "gauge",
    "Percent",
    gpu,
    "TorchServe: the time in which the GPU ran something. Where there are GPUs.",
  ),
  row("GPUMemoryUtilization", "gauge", "Percent", gpu, "TorchServe: the GPU's memory in use. Where there are GPUs."),
  row("GPUMemoryUsed", "gauge", "Megabytes", gpu, "TorchServe: the GPU's memory in use. Where there are GPUs."),
  row("HandlerTime", "gauge", "Milliseconds", handler, "TorchServe: a request's time after its wait, mean likewise."),
  row("PredictionTime", "gauge", "Milliseconds", handler, "TorchServe: one run of a batch, mean likewise."),
] as const satisfies readonly MetricRow[];

export type TorchserveName = (typeof torchserveRows)[number]["name"];
