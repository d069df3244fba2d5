/**
 * The keys of a model's model-config.yaml, one row each: what may stand there, what holds when nothing does, and who acts on it.
 * The readers take ranges and choices from here, unknown keys are told by these names, and docs/model-config.md is generated
 * from them. The keys of `sconce.text` are in text-config.ts. Pure.
 *
 *   const of = readerOf(section, imageKeys);
 *   of("channels");   // number | undefined; throws invalid_model with file, line, key, and what is allowed
 */
import { dtypes } from "../types.js";
import type { Section } from "./yaml-section.js";

type Kind =
  | { readonly type: "integer" | "number"; readonly min: number; readonly max: number; readonly unit?: string }
  | { readonly type: "boolean" | "text" }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** Read by a function of its own. */
  | { readonly type: "own"; readonly values: string };

export interface ModelKey {
  readonly kind: Kind;
  /** What holds where the key is absent, for the documentation. */
  readonly fallback: string;
  readonly help: string;
  /** Absent: it acts on every model. `python`: models that Python runs. `nobody`: TorchServe's, and without effect here. */
  readonly actsOn?: "python" | "nobody";
}

type Keys = Readonly<Record<string, ModelKey>>;

export const maxDims = 16;
export const maxTensors = 256;
export const maxTensorNameBytes = 256;
/** Elements of a declared shape. */
export const maxSize = 2 ** 40;
/** Bytes of `sconce.handler.config` as JSON. */
export const maxConfigBytes = 64 * 1024;
const maxWorkers = 1024;
const maxSeconds = 86_400;
const maxSide = 16_384;

const integer = (min: number, max: number, unit = "") => ({ type: "integer", min, max, unit }) as const;
const number = (min: number, max: number, unit = "") => ({ type: "number", min, max, unit }) as const;
const choice = <const T extends readonly string[]>(...choices: T) => ({ type: "choice", choices }) as const;
const own = (values: string) => ({ type: "own", values }) as const;
const boolean = { type: "boolean" } as const;
const text = { type: "text" } as const;
const nobody = { kind: own("any"), fallback: "", actsOn: "nobody" } as const;
const python = { kind: own("any"), fallback: "", actsOn: "python" } as const;

/** TorchServe's, and `sconce`. */
export const topKeys = {
  minWorkers: {
    kind: integer(1, maxWorkers),
    fallback: "`--model-settings`, the registration's `initial_workers`, `--default-workers`",
    help: "instances of the model: lanes of a native one, processes of a Python one",
  },
  maxWorkers: {
    kind: integer(1, maxWorkers),
    fallback: "as many as there are at first",
    help: "what the instances may grow to under load",
  },
  batchSize: {
    kind: integer(1, 65_536),
    fallback: "64 where warm-up showed that batching changes no answer, else 1; 1 for Python",
    help: "most samples that run together; saying it vouches that a batch gives what single runs give",
  },
  maxBatchDelay: {
    kind: number(0, maxSeconds * 1000, "ms"),
    fallback: "0",
    help: "how long a batch that is not full waits for more; without it none waits",
  },
  responseTimeout: {
    kind: number(0.001, maxSeconds, "s"),
    fallback: "`--response-timeout`",
    help: "from a request to its answer; past it 504 `deadline_exceeded`, and a Python worker that was running it is ended",
  },
  clientTimeoutInMills: {
    kind: integer(0, maxSeconds * 1000, "ms"),
    fallback: "0: none",
    help: "after which its clients do not wait: a request that is not answered by then gets 504 `client_timeout`, and no worker is ended for it",
  },
  startupTimeout: {
    kind: number(0.001, maxSeconds, "s"),
    fallback: "`--probe-timeout`",
    help: "of the trial load, of the load, and of a Python worker's start",
  },
  jobQueueSize: {
    kind: integer(1, 1_000_000),
    fallback: "`--job-queue-size`",
    help: "requests that may wait for the model; one more gets 503 `queue_full`",
  },
  deviceType: { kind: choice("cpu", "gpu"), fallback: "see [devices.md](devices.md)", help: "where it runs" },
  deviceIds: {
    kind: own("list of GPU numbers"),
    fallback: "every GPU",
    help: "the GPUs that instances go to, in this order",
  },
  handler: {
    kind: own("a handler's name, or keys of a Python handler's own"),
    fallback: "the manifest's, else `base_handler`",
    help: "as text the handler of a model without a manifest: a built-in one, or a file in the folder",
  },
  sconce: { kind: own("keys"), fallback: "", help: "sconce's own keys, below" },
  parallelType: { ...nobody, help: "of torchrun; a worker is one process here" },
  parallelLevel: { ...nobody, help: "more than 1: a Python model is refused, as a worker is one process here" },
  torchrun: { ...nobody, help: "`nproc-per-node` over 1: a Python model is refused, likewise" },
  useJobTicket: { ...nobody, help: "a full queue is refused by `jobQueueSize`" },
  sequenceBatching: { ...nobody, help: "true: a Python model is refused, as no worker keeps a sequence to itself" },
  continuousBatching: {
    ...nobody,
    help: "true: a Python model is refused, as its handler is called once for a request",
  },
  sequenceMaxIdleMSec: { ...nobody, help: "of `sequenceBatching`" },
  sequenceTimeoutMSec: { ...nobody, help: "of `sequenceBatching`" },
  maxNumSequence: { ...nobody, help: "of `sequenceBatching`" },
  maxSequenceJobQueueSize: { ...nobody, help: "of `sequenceBatching`" },
  asyncCommunication: {
    ...nobody,
    help: "true: a Python model is refused, as no worker awaits what a handler returns",
  },
  maxRetryTimeoutInSec: {
    kind: number(0, maxSeconds, "s"),
    fallback: "300",
    help: "how long a worker, or a handler in TypeScript, that keeps ending is started again",
    actsOn: "python",
  },
  useVenv: {
    kind: boolean,
    fallback: "false",
    help: "requirements.txt is installed into a virtual environment of the version",
    actsOn: "python",
  },
  pt2: { ...python, help: "read by TorchServe's handlers: `torch.compile` and exported programs" },
  micro_batching: { ...python, help: "read by TorchServe's handlers" },
  pippy: { ...python, help: "read by TorchServe's handlers" },
  deepspeed: { ...python, help: "read by TorchServe's handlers" },
  dali: { ...python, help: "read by TorchServe's handlers" },
} as const satisfies Keys;

export const sconceKeys = {
  inputs: {
    kind: own("list, below"),
    fallback: "nothing is declared",
    help: "what the model takes, in order; it is checked then",
  },
  outputs: { kind: own("list of `{name: …}`"), fallback: "`output_0`…", help: "names of what it gives, in order" },
  warmup: {
    kind: text,
    fallback: "samples made from `inputs`",
    help: "a file of the archive with a sample (`.json`, `.npy`)",
  },
  executor: {
    kind: choice("auto", "inline", "lane"),
    fallback: "`auto`",
    help: "where batches run ([architecture.md](architecture.md)); `auto` decides by what warm-up measured",
  },
  precision: {
    kind: choice("float32", "bfloat16", "float16", "auto"),
    fallback: "`float32`",
    help: "a shorter type that the model may run in ([performance.md](performance.md))",
  },
  precisionTolerance: {
    kind: number(0, 1),
    fallback: "0.02",
    help: "how far answers in the shorter type may be off, as a share of the largest output",
  },
  stateful: {
    kind: boolean,
    fallback: "as its code shows",
    help: "it keeps something between requests: one instance, nothing runs twice",
  },
  priority: { kind: choice("normal", "high"), fallback: "`normal`", help: "whose batches go first on a GPU" },
  maxInstances: { kind: integer(1, 1_000_000), fallback: "`--max-instances`", help: "samples in one request" },
  topK: { kind: integer(1, 100_000), fallback: "5", help: "classes in an answer of a classifier" },
  threshold: { kind: number(0, 1), fallback: "0.5", help: "`object_detector`: the least score of what is answered" },
  image: {
    kind: own("keys, below"),
    fallback: "ImageNet's",
    help: "how pictures become inputs ([pictures.md](pictures.md))",
  },
  text: { kind: own("keys of [text.md](text.md)"), fallback: "", help: "how texts become inputs" },
  handler: { kind: own("keys, below"), fallback: "", help: "of a handler in TypeScript or JavaScript" },
} as const satisfies Keys;

export const inputKeys = {
  name: {
    kind: own(`text, at most ${maxTensorNameBytes} bytes`),
    fallback: "must be given",
    help: "as the model's code or clients call it",
  },
  dtype: { kind: choice(...dtypes), fallback: "must be given", help: "PyTorch's names" },
  shape: {
    kind: own(`list of at most ${maxDims} sizes`),
    fallback: "must be given",
    help: "of one sample, without the batch dimension; -1 is any length",
  },
  optional: { kind: boolean, fallback: "false", help: "requests may leave it out; after all others" },
} as const satisfies Keys;

export const outputKeys = { name: inputKeys.name } as const satisfies Keys;

export const imageKeys = {
  resize: {
    kind: integer(0, maxSide, "pixels"),
    fallback: "256, at least `crop`",
    help: "of the short side; 0: to crop × crop exactly",
  },
  crop: {
    kind: integer(0, maxSide, "pixels"),
    fallback: "224; 0 for `object_detector`",
    help: "the middle of it; 0: the picture's own size",
  },
  channels: { kind: integer(1, 3), fallback: "3", help: "3, or 1 for grey" },
  bgr: { kind: boolean, fallback: "false", help: "the order of the channels" },
  interpolation: { kind: choice("bilinear", "bicubic", "nearest"), fallback: "`bilinear`", help: "of resizing" },
  mean: {
    kind: own("list of numbers"),
    fallback: "ImageNet's; none for `object_detector`",
    help: "one per channel, of values from 0 to 1; `[]`: none",
  },
  std: { kind: own("list of numbers over 0"), fallback: "likewise", help: "likewise" },
  exif: { kind: boolean, fallback: "false", help: "turn pictures as their EXIF orientation says" },
} as const satisfies Keys;

/** `sconce.handler`. */
export const handlerKeys = {
  isolation: {
    kind: choice("thread", "process"),
    fallback: "`--handler-isolation`",
    help: "what runs it ([typescript-handlers.md](typescript-handlers.md))",
  },
  hookTimeout: { kind: number(0.05, maxSeconds, "s"), fallback: "`--hook-timeout`", help: "of one call of a hook" },
  config: { kind: own(`anything up to ${maxConfigBytes / 1024} KiB`), fallback: "`{}`", help: "the hooks get it" },
} as const satisfies Keys;

/** Names of the rows that fit, in the table's order. */
export function namesOf(keys: Keys, fits: (row: ModelKey) => boolean = () => true): readonly string[] {
  return Object.entries(keys).flatMap(([name, row]) => (fits(row) ? [name] : []));
}

type ValueOf<K extends Kind> = K extends { readonly type: "integer" | "number" }
  ? number
  : K extends { readonly type: "boolean" }
    ? boolean
    : K extends { readonly type: "text" }
      ? string
      : K extends { readonly choices: readonly (infer T)[] }
        ? T
        : never;

/** Reads values by their rows; undefined where the key is absent. Keys with kind `own` have readers of their own. */
export function readerOf<T extends Keys>(
  section: Section,
  keys: T,
): <K extends keyof T & string>(key: K) => ValueOf<T[K]["kind"]> | undefined {
  return (key) => valueOf(section, key, keys[key]?.kind) as never;
}

function valueOf(section: Section, key: string, kind: Kind | undefined): number | boolean | string | undefined {
  switch (kind?.type) {
    case "integer":
    case "number":
      return section[kind.type](key, kind.min, kind.max);
    case "boolean":
    case "text":
      return section[kind.type](key);
    case "choice":
      return section.choice(key, kind.choices);
    case "own":
    case undefined:
      return undefined;
  }
}

/** What may stand there, in words. */
export function valuesOf({ kind }: ModelKey): string {
  switch (kind.type) {
    case "integer":
    case "number":
      return `${kind.min} to ${kind.max}${kind.unit ? ` ${kind.unit}` : ""}`;
    case "boolean":
      return "true, false";
    case "text":
      return "text";
    case "choice":
      return kind.choices.map((each) => `\`${each}\``).join(", ");
    case "own":
      return kind.values;
  }
}
