/** How a model is to be served: what its model-config.yaml says, else the operator's settings, else the defaults. Pure. */
import type { VersionSettings } from "../config/model-settings.js";
import type { ModelSpec } from "../types.js";
import type { ModelConfig } from "./model-config.js";

export type ServingDefaults = Pick<ModelSpec, "jobQueueSize" | "responseTimeoutMs" | "maxInstances"> &
  Partial<Pick<ModelSpec, "instances" | "maxWorkers" | "startupTimeoutMs">>;

type Serving = ServingDefaults &
  Pick<ModelSpec, "batchSize" | "maxBatchDelayMs" | "clientTimeoutMs" | "instances" | "executor" | "stateful"> &
  Pick<ModelSpec, "deviceType" | "deviceIds" | "priority" | "precision" | "precisionTolerance">;

export function servingOf(config: ModelConfig, set: VersionSettings, defaults: ServingDefaults): Serving {
  const batchSize = config.batchSize ?? set.batchSize;
  const setTimeoutMs = set.responseTimeout === undefined ? undefined : set.responseTimeout * 1000;
  return {
    ...(batchSize === undefined ? {} : { batchSize }),
    maxBatchDelayMs: config.maxBatchDelayMs ?? set.maxBatchDelay ?? 0,
    jobQueueSize: config.jobQueueSize ?? defaults.jobQueueSize,
    responseTimeoutMs: config.responseTimeoutMs ?? setTimeoutMs ?? defaults.responseTimeoutMs,
    ...clientTimeoutOf(config),
    ...workersOf(config, set, defaults),
    ...startupTimeoutOf(config, set, defaults),
    executor: config.executor ?? "auto",
    stateful: config.stateful ?? false,
    ...precisionOf(config),
    ...deviceOf(config),
    maxInstances: config.maxInstances ?? defaults.maxInstances,
  };
}

function clientTimeoutOf({ clientTimeoutMs = 0 }: ModelConfig): Pick<ModelSpec, "clientTimeoutMs"> {
  return clientTimeoutMs === 0 ? {} : { clientTimeoutMs };
}

function deviceOf({
  deviceType,
  deviceIds,
  priority,
}: ModelConfig): Pick<ModelSpec, "deviceType" | "deviceIds" | "priority"> {
  return {
    ...(deviceType === undefined ? {} : { deviceType }),
    ...(deviceIds === undefined ? {} : { deviceIds }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function precisionOf({
  precision,
  precisionTolerance,
}: ModelConfig): Pick<ModelSpec, "precision" | "precisionTolerance"> {
  return {
    ...(precision === undefined ? {} : { precision }),
    ...(precisionTolerance === undefined ? {} : { precisionTolerance }),
  };
}

/** With a most and no least there is 1 to begin with, as in TorchServe; the least wins over a most below it. */
function workersOf(
  config: ModelConfig,
  set: VersionSettings,
  defaults: ServingDefaults,
): Pick<ModelSpec, "instances" | "maxWorkers"> {
  const most = config.maxWorkers ?? set.maxWorkers ?? defaults.maxWorkers;
  const least = config.instances ?? set.minWorkers ?? defaults.instances ?? 0;
  if (most === undefined) return { instances: least };
  const instances = Math.max(1, config.instances === undefined ? Math.min(least, most) : least);
  return { instances, maxWorkers: Math.max(instances, most) };
}

function startupTimeoutOf(
  config: ModelConfig,
  set: VersionSettings,
  defaults: ServingDefaults,
): Pick<ModelSpec, "startupTimeoutMs"> {
  const setMs = set.startupTimeout === undefined ? undefined : set.startupTimeout * 1000;
  const startupTimeoutMs = config.startupTimeoutMs ?? setMs ?? defaults.startupTimeoutMs;
  return startupTimeoutMs === undefined ? {} : { startupTimeoutMs };
}
