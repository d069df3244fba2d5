/**
 * What Triton's clients and load generators ask for beyond the Open Inference Protocol: a model's configuration, its
 * statistics and the repository's index, in the shapes of Triton's model_config.proto and service.proto. Pure.
 */
import type { ModelStats } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { ModelEntry } from "../models/models.js";
import type { ModelInterface } from "../types.js";
import type { ModelAbout } from "./pipeline.js";
import { datatypes, platformOf } from "./v2-words.js";

export type { ModelStats } from "../engine/engine.js";

/** Dimensions of a tensor are without the batch. */
interface ConfigTensor {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
}

export interface TritonConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly max_batch_size: number;
  readonly input: readonly ConfigTensor[];
  readonly output: readonly ConfigTensor[];
  readonly instance_group: readonly { readonly name: string; readonly kind: string; readonly count: number }[];
  readonly dynamic_batching?: { readonly max_queue_delay_microseconds: number };
}

export interface StatisticDuration {
  readonly count: number;
  readonly ns: number;
}

export interface TritonStatistics {
  readonly name: string;
  readonly version: string;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<Record<"success" | "fail" | "queue" | "compute_infer", StatisticDuration>>;
}

export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/** For whoever asks to load or unload a model there. */
export const managedElsewhere =
  "Models are loaded and unloaded over the management API, POST and DELETE on /models of its own port.";
/** For whoever asks for or changes Triton's settings of log and traces. */
export const noSettings =
  "There are no log or trace settings in this protocol; the log's level is --log-level, and that of one model `sconce models log-level`.";
/** For whoever registers memory that both sides see. */
export const noSharedMemory = "Shared memory is not supported; send the tensors in the request.";

export function tritonConfig(name: string, { about }: ModelAbout, instances: number): TritonConfig {
  const { maxBatchSize, maxBatchDelayMs } = about;
  return {
    name,
    platform: platformOf(about),
    backend: "pytorch",
    max_batch_size: maxBatchSize,
    input: about.inputs.map(tensor),
    output: about.outputs.map(tensor),
    instance_group: [{ name: `${name}_0`, kind: "KIND_CPU", count: instances }],
    ...(maxBatchSize > 1 ? { dynamic_batching: { max_queue_delay_microseconds: maxBatchDelayMs * 1000 } } : {}),
  };
}

function tensor({ name, dtype, shape }: ModelInterface["outputs"][number]): ConfigTensor {
  const word = dtype === "string" ? "STRING" : datatypes[dtype];
  return { name, data_type: `TYPE_${word}`, dims: shape };
}

/**
 * Requests by their whole time and their time in the queue, batches by the time of the model's run; failed requests without
 * a time, which is not kept apart.
 */
export function tritonStatistics(stats: ModelStats): TritonStatistics {
  const { name, version, rows, batches, requestsByCode, requestSeconds, queueSeconds, inferenceSeconds } = stats;
  const [success = 0, ...failed] = requestsByCode;
  return {
    name,
    version,
    inference_count: rows,
    execution_count: batches,
    inference_stats: {
      success: { count: success, ns: nanoseconds(requestSeconds.sum) },
      fail: { count: failed.reduce((sum, count) => sum + count, 0), ns: 0 },
      queue: { count: countOf(queueSeconds), ns: nanoseconds(queueSeconds.sum) },
      compute_infer: { count: countOf(inferenceSeconds), ns: nanoseconds(inferenceSeconds.sum) },
    },
  };
}

const nanoseconds = (seconds: number): number => Math.round(seconds * 1e9);
const countOf = ({ counts }: ModelStats["queueSeconds"]): number => counts.reduce((sum, count) => sum + count, 0);

/** Of one version; version "": the default one. Throws ServerError not_implemented where the engine keeps no figures. */
export function statisticsOf(all: readonly ModelStats[], name: string, version: string): TritonStatistics {
  const found = all.find((each) => each.name === name && (version === "" ? each.isDefault : each.version === version));
  if (found !== undefined) return tritonStatistics(found);
  const words = `Model ${name} is run by workers, whose figures are on the metrics port alone.`;
  throw new ServerError("not_implemented", words);
}

/** What is served, by name (which model was loaded first is chance), then what is registered and not served. */
export function repositoryIndex(
  served: readonly { readonly name: string; readonly version: string }[],
  unready: readonly Pick<ModelEntry, "name" | "version" | "state" | "reason">[],
  readyOnly = false,
): readonly IndexEntry[] {
  const ready = served
    .map(({ name, version }) => ({ name, version, state: "READY", reason: "" }))
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const isServed = (entry: { readonly name: string; readonly version: string }): boolean =>
    served.some(({ name, version }) => name === entry.name && version === entry.version);
  const others = unready
    .filter((entry) => !isServed(entry))
    .map(({ name, version, state, reason = "" }) => ({ name, version, state: stateWords[state], reason }));
  return readyOnly ? ready : [...ready, ...others];
}

const stateWords = { loading: "LOADING", ready: "READY", failed: "UNAVAILABLE", unloading: "UNLOADING" } as const;
