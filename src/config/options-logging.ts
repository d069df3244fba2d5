/** Rows of the option table about metrics and logs. */
import { bytes, choice, count, flag, GiB, KiB, MiB, row, seconds, text } from "./option-row.js";

export const loggingRows = {
  metricsMode: row(
    "metrics-mode",
    choice("prometheus", "legacy", "log"),
    "auto",
    "logging",
    "TorchServe's metrics: all at /metrics; legacy: its three ts_ counters there and the rest logged; log: all logged.",
    { auto: "log when started as torchserve, else prometheus" },
  ),
  metricsApi: row("metrics-api", flag, true, "logging", "Whether the metrics port answers /metrics."),
  systemMetrics: row("system-metrics", flag, true, "logging", "Whether to measure the machine's CPU, memory and disk."),
  metricsIntervalMs: row(
    "metrics-interval",
    seconds(1, 86_400),
    15_000,
    "logging",
    "How often the machine is measured, times are averaged and metrics are logged.",
  ),
  latencyBuckets: row(
    "latency-buckets",
    { type: "rising", maxCount: 64 },
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    "logging",
    "Upper bounds of the latency histograms, in seconds.",
  ),
  logLevel: row(
    "log-level",
    choice("debug", "info", "warn", "error"),
    "info",
    "logging",
    "Least level that is logged.",
  ),
  logFormat: row("log-format", choice("json", "text", "torchserve"), "auto", "logging", "Form of the logs' lines.", {
    auto: "torchserve when started as torchserve; else text on a terminal, json elsewhere",
  }),
  accessLog: row(
    "access-log",
    choice("off", "errors", "all"),
    "auto",
    "logging",
    "A line per answer, on all ports; errors: only for those with a status of 400 and above.",
    { auto: "all when started as torchserve, else off" },
  ),
  requestIds: row(
    "request-ids",
    choice("echo", "always"),
    "auto",
    "logging",
    "echo: an answer has the x-request-id of its request; always: and one is made where the request has none.",
    { auto: "always when started as torchserve or with a config.properties, else echo" },
  ),
  logFolder: row(
    "log-folder",
    text,
    "auto",
    "logging",
    "Folder for ts_log.log, access_log.log and model_log.log, which then take what else goes to standard error.",
    {
      placeholder: "DIR",
      auto: "$LOG_LOCATION or ./logs when started as torchserve, which writes to standard output too; else unset",
    },
  ),
  metricsLogFolder: row(
    "metrics-log-folder",
    text,
    "auto",
    "logging",
    "Folder for ts_metrics.log and model_metrics.log, which then take the metrics that are logged.",
    {
      placeholder: "DIR",
      auto: "--log-folder; when started as torchserve $METRICS_LOCATION before it, and ./logs after it",
    },
  ),
  logMaxSize: row("log-max-size", bytes(4 * KiB, 1024 * GiB), 100 * MiB, "logging", "Size at which a file is rotated."),
  logMaxFiles: row("log-max-files", count(0, 1000), 5, "logging", "Rotated files that are kept of each."),
} as const;
