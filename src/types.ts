/** Plain values shared by all layers. Nothing here imports anything. */

export const dtypes = [
  "bool",
  "uint8",
  "int8",
  "int16",
  "int32",
  "int64",
  "float16",
  "bfloat16",
  "float32",
  "float64",
] as const;
/** PyTorch's words; the index is the number in native code (native/core/tensor.h). */
export type DType = (typeof dtypes)[number];

export interface InputSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Without the batch dimension; -1 is any length. */
  readonly shape: readonly number[];
  readonly optional: boolean;
}

export interface Signature {
  readonly declared: boolean;
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
}

/** torchvision's Resize(resize, antialias) → CenterCrop(crop) → ToTensor → Normalize(mean, std). */
export interface ImageTransform {
  readonly resize: number;
  readonly crop: number;
  readonly channels: 1 | 3;
  readonly bgr: boolean;
  readonly interpolation: "bilinear" | "bicubic" | "nearest";
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Turns pictures as their EXIF orientation says. */
  readonly exif: boolean;
}

/** A model's input that texts become: token ids, 1 and 0 for text and padding, or the ids of the text's segments. */
export interface TextInput {
  readonly name: string;
  readonly role: "ids" | "mask" | "types";
  readonly dtype: DType;
}

/** How texts become a model's inputs, and a model's output the answer. */
export interface TextSpec {
  /** Path of Hugging Face's tokenizer.json. */
  readonly tokenizer: string;
  readonly inputs: readonly TextInput[];
  /** Tokens of a text, special ones included. */
  readonly maxLength: number;
  /** What happens to longer ones. */
  readonly overlong: "refuse" | "cut";
  /** Which end is cut. */
  readonly cutAt: "right" | "left";
  /** Lengths that inputs are padded to, ascending; the last is `maxLength`. */
  readonly buckets: readonly number[];
  readonly padId: number;
  readonly padTypeId: number;
  /** What the tokenizer's file pads to, in words, where nobody said other lengths; `buckets` do not follow it. */
  readonly padsTo: string | undefined;
  /** Where padding goes: behind a text, or before it. */
  readonly padAt: "right" | "left";
  /** Of the token for what is not in the vocabulary. */
  readonly unknownId: number | undefined;
  /** Texts of one request. */
  readonly maxTexts: number;
  /** Place of the output that is read. */
  readonly output: number;
  /** text_embedding: of the vectors of a text's tokens; none: the model gives one vector. */
  readonly pooling: "mean" | "cls" | "none";
  /** text_embedding: to length 1. */
  readonly normalize: boolean;
}

/** A handler written in TypeScript or JavaScript. */
export interface ScriptSpec {
  /** Names this load of it, so that requests never meet another one's; "" until it is loaded. */
  readonly key: string;
  /** The model's folder, and the handler's file in it. */
  readonly folder: string;
  readonly file: string;
  /** thread: beside others in the server's process. process: hooks run in a process with little of its own. */
  readonly isolation: "thread" | "process";
  /** Bytes of data of that process; 0: no limit of its own. */
  readonly maxMemory: number;
  /** How long a hook may take. */
  readonly hookTimeoutMs: number;
  /** How long a handler that keeps ending is started again. */
  readonly maxRetryMs: number;
  /** Requests of one thread that may be with the handler. */
  readonly maxWaiting: number;
  /** Requests that a batch-aware handler gets together. */
  readonly maxBatch: number;
  /** There is no model file beside it. */
  readonly alone?: true;
  /** sconce.handler.config. */
  readonly config: unknown;
}

/** What a handler needs to know of a model; travels by message to every HTTP thread before the model is routed. */
export interface HandlerSpec {
  /** One of archive/names.ts' nativeHandlers. */
  readonly name: string;
  readonly image?: ImageTransform;
  readonly text?: TextSpec;
  /** Of picture handlers: pictures of one request. */
  readonly maxPictures?: number;
  /** object_detector: the least score of what is answered. */
  readonly threshold?: number;
  /** Classes of an answer, the most probable first; 0: all, in the model's order. */
  readonly topK: number;
  /** Python workers answer; all else here is theirs to know. */
  readonly python?: boolean;
  /** The handler's own thread answers. */
  readonly script?: ScriptSpec;
  /** index_to_name.json, as TorchServe reads it: index → label. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a Python worker is told of its model. */
export interface PythonModel {
  /** Folder with MAR-INF and the handler's files. */
  readonly folder: string;
  /** A file's name, perhaps with ":function", or a name of TorchServe's own. */
  readonly handler: string;
  /** How long a worker that keeps ending is started again. */
  readonly maxRetryMs: number;
  /** A file of the folder that pip reads. */
  readonly requirements?: string;
  /** Its workers run in a virtual environment of the model's own. */
  readonly useVenv?: boolean;
  /** Why Python runs it although its handler is native: its TorchScript calls "torchvision::nms", or another of those. */
  readonly operator?: string;
}

/** Where a version comes from, as its manifest says. */
export interface Lineage {
  /** Of the training: whatever the operator's tools call it. */
  readonly run?: string;
  readonly commit?: string;
  readonly dataDigest?: string;
  /** That saved the model. */
  readonly torchVersion?: string;
}

/** By when a request must be answered (0: never), and who waits no longer: a client by clientTimeoutInMills, or the server. */
export interface AnswerLimit {
  readonly timeoutMs: number;
  readonly by: "client" | "server";
}

/** Everything needed to load one version of one model; made by `archive`, read by `models` and `engine`. */
export interface ModelSpec {
  readonly name: string;
  readonly version: string;
  /** The artifact: a .pt or .pt2 file (or an unpacked .pt2 folder); of kind handler the handler's file. */
  readonly artifact: string;
  readonly kind: "torchscript" | "aotinductor" | "python" | "handler";
  readonly sha256: string;
  readonly signature: Signature;
  readonly handler: HandlerSpec;
  /** Of kind python. */
  readonly python?: PythonModel;
  /** Undefined: chosen by warm-up. */
  readonly batchSize?: number;
  readonly maxBatchDelayMs: number;
  readonly jobQueueSize: number;
  readonly responseTimeoutMs: number;
  /** Clients wait no longer than that; absent: as long as responseTimeoutMs. It ends no worker. */
  readonly clientTimeoutMs?: number;
  /** Narrow lanes; 0: one per core. */
  readonly instances: number;
  /** What they may grow to under load; absent: they stay. */
  readonly maxWorkers?: number;
  /** The trial load and the load itself may each take that long. */
  readonly startupTimeoutMs?: number;
  readonly executor: "auto" | "inline" | "lane";
  /** As its model-config.yaml says; absent: a GPU where there is one. */
  readonly deviceType?: "cpu" | "gpu";
  readonly deviceIds?: readonly number[];
  readonly priority?: Priority;
  /** Where it is loaded, by src/models/placement.ts; absent: on the CPU. */
  readonly gpu?: GpuPlacement;
  readonly precision?: Precision;
  /** The largest |a - b| to float32's answers, as a share of an output's largest |b|. */
  readonly precisionTolerance?: number;
  readonly stateful: boolean;
  readonly maxInstances: number;
  readonly warmup?: string;
  /** Where it came from, for describe (a path or URL as the operator wrote it). */
  readonly source: string;
  readonly lineage?: Lineage;
  /** What the operator should know of its archive and is no error. */
  readonly warnings?: readonly string[];
}

/** In what floating type a model runs; auto: bfloat16 where it is faster and near enough. */
export type Precision = "float32" | "bfloat16" | "float16" | "auto";

/** Whose batches go first where several models wait for one GPU. */
export type Priority = "normal" | "high";

export interface GpuPlacement {
  /** Empty: every one, in turn with other models. */
  readonly ids: readonly number[];
  /** The most there will be; 0: one per GPU. */
  readonly instances: number;
  readonly priority: Priority;
}

/** One output of a model, without the batch dimension. */
export interface OutputSpec {
  readonly name: string;
  /** string: text, of which there is one for a sample. */
  readonly dtype: DType | "string";
  readonly shape: readonly number[];
}

/** What a model takes and gives, for clients that ask. */
export interface ModelInterface {
  readonly kind: ModelSpec["kind"];
  /** Empty when none are declared. */
  readonly inputs: readonly InputSpec[];
  /** Empty when no warm-up has shown them. */
  readonly outputs: readonly OutputSpec[];
  /** Rows that run together at most. */
  readonly maxBatchSize: number;
  readonly maxBatchDelayMs: number;
}

/** What loading found out; shown by describe. */
export interface LoadReport {
  readonly form: string;
  readonly formReason: string;
  readonly batchSize: number;
  readonly batchReason: string;
  readonly warmup: string;
  readonly executor: "inline" | "lane";
  readonly executorReason: string;
  /** Those of the warm-up's first sample. */
  readonly outputs: readonly OutputSpec[];
  readonly weightsBytes: number;
  readonly loadSeconds: number;
  readonly warmBatchP90Us: number;
}

/** Numbers as in native/core/explain.h. */
export const explainMethods = ["integrated_gradients", "saliency", "occlusion"] as const;
export const integralRules = [
  "gausslegendre",
  "riemann_left",
  "riemann_right",
  "riemann_middle",
  "riemann_trapezoid",
] as const;

/** What an explanation is to say; the limits stand in native/core/explain.h. */
export interface ExplainSettings {
  readonly method: (typeof explainMethods)[number];
  readonly rule: (typeof integralRules)[number];
  /** Of integrated gradients. */
  readonly steps: number;
  /** The explained number's place in one sample's answer; empty: 0 in each dimension; predicted: where it is highest. */
  readonly target: readonly number[] | "predicted";
  /** Every element of the input that means nothing. */
  readonly baseline: number;
  /** Samples in one run of the model. */
  readonly batch: number;
  /** Occlusion: height and width; 0: chosen by the input's size. */
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  /** Attributions with target, score and convergence delta instead of them alone. */
  readonly detail: boolean;
}

/** Calls on sockets that Node has not, by file descriptor. They throw Error with the system's words. */
export interface SocketCalls {
  /** A connection is accepted when its first bytes are there, or after that many seconds. */
  deferAccept(listening: number, seconds: number): void;
  /** A descriptor of its own for an accepted connection; -1: its first line says HTTP/1.0; -2, if `whole`: it has no end yet. */
  takeSocket(accepted: number, whole: boolean): number;
  /** The two ends of a connection inside this process. */
  socketPair(): [number, number];
  closeSocket(fd: number): void;
}
