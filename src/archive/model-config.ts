/**
 * model-config.yaml: TorchServe's keys beside the `sconce` section. Keys of `sconce` that are not known are refused;
 * TorchServe's own that this version does not act on are in server-keys.ts. Pure.
 */
import { dtypes, type ImageTransform, type InputSpec, type Precision, type Priority } from "../types.js";
import { deviceOf } from "./device-config.js";
import { scriptConfigOf, type ScriptConfig } from "./script.js";
import { nativeWarnings, pythonRefusal, pythonWarnings } from "./server-keys.js";
import { textConfigOf, type TextConfig } from "./text-config.js";
import { parseYaml, type Section } from "./yaml-section.js";

export interface ModelConfig {
  /** A built-in handler's name, for models without a manifest. */
  readonly handler?: string;
  readonly batchSize?: number;
  readonly maxBatchDelayMs?: number;
  readonly responseTimeoutMs?: number;
  /** clientTimeoutInMills; 0 is none. */
  readonly clientTimeoutMs?: number;
  readonly jobQueueSize?: number;
  /** minWorkers. */
  readonly instances?: number;
  readonly maxWorkers?: number;
  readonly startupTimeoutMs?: number;
  readonly inputs?: readonly InputSpec[];
  readonly outputs?: readonly string[];
  readonly warmup?: string;
  readonly executor?: "auto" | "inline" | "lane";
  readonly deviceType?: "cpu" | "gpu";
  readonly deviceIds?: readonly number[];
  readonly priority?: Priority;
  readonly precision?: Precision;
  readonly precisionTolerance?: number;
  readonly stateful?: boolean;
  readonly maxInstances?: number;
  /** For Python handlers. */
  readonly maxRetryMs?: number;
  readonly useVenv?: boolean;
  readonly topK?: number;
  readonly image?: ImageTransform;
  /** object_detector: the least score of what is answered. */
  readonly threshold?: number;
  readonly text?: TextConfig;
  /** For handlers in TypeScript or JavaScript. */
  readonly script?: ScriptConfig;
  /** Why it is refused where Python would run it. */
  readonly pythonRefusal?: string;
  /** What the operator should know and is no error. */
  readonly warnings: readonly string[];
  /** The same where Python runs the model, whose handler may read any other key. */
  readonly pythonWarnings: readonly string[];
}

const sconceKeys = [
  "inputs",
  "outputs",
  "warmup",
  "executor",
  "precision",
  "precisionTolerance",
  "stateful",
  "priority",
  "maxInstances",
  "topK",
  "threshold",
  "image",
  "text",
  "handler",
];
const imageKeys = ["resize", "crop", "channels", "bgr", "interpolation", "mean", "std", "exif"];

const maxWorkers = 1024;
const maxSeconds = 86_400;
const maxDims = 16;
const maxTensors = 256;
const maxTensorNameBytes = 256;
const maxSize = 2 ** 40;
const maxSide = 16_384;

/** torchvision's figures for ImageNet, which TorchServe's image handlers use. */
const imagenetMean = [0.485, 0.456, 0.406];
const imagenetStd = [0.229, 0.224, 0.225];

/** `file` is for messages; `handler`: the one that comes before the file's own. */
export function parseModelConfig(file: string, text: string, given?: string): ModelConfig {
  const top = parseYaml(file, text);
  const most = top.integer("maxWorkers", 1, maxWorkers);
  const least = top.integer("minWorkers", 1, maxWorkers);
  if (most !== undefined && least !== undefined && most < least) {
    throw top.fail("maxWorkers", `is ${most}, less than minWorkers (${least})`);
  }
  const startupTimeout = top.number("startupTimeout", 0.001, maxSeconds);
  const responseTimeout = top.number("responseTimeout", 0.001, maxSeconds);
  const maxRetry = top.number("maxRetryTimeoutInSec", 0, maxSeconds);
  const handler: unknown = top.plain("handler");
  return {
    ...(typeof handler === "string" ? { handler } : {}),
    ...present("batchSize", top.integer("batchSize", 1, 65_536)),
    ...present("maxBatchDelayMs", top.number("maxBatchDelay", 0, maxSeconds * 1000)),
    ...present("responseTimeoutMs", responseTimeout === undefined ? undefined : Math.ceil(responseTimeout * 1000)),
    ...present("clientTimeoutMs", top.integer("clientTimeoutInMills", 0, maxSeconds * 1000)),
    ...present("maxRetryMs", maxRetry === undefined ? undefined : Math.ceil(maxRetry * 1000)),
    ...present("useVenv", top.boolean("useVenv")),
    ...present("pythonRefusal", pythonRefusal(top)),
    ...present("jobQueueSize", top.integer("jobQueueSize", 1, 1_000_000)),
    ...deviceOf(top),
    ...present("instances", least),
    ...present("maxWorkers", most),
    ...present("startupTimeoutMs", startupTimeout === undefined ? undefined : Math.ceil(startupTimeout * 1000)),
    ...sconceSection(top.section("sconce"), given ?? (typeof handler === "string" ? handler : "")),
    warnings: nativeWarnings(file, top),
    pythonWarnings: pythonWarnings(file, top),
  };
}

/** {key: value}, or nothing when there is no value (the types here are exact about absent keys). */
function present<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function sconceSection(section: Section | undefined, handler: string): Partial<ModelConfig> {
  if (!section) return {};
  section.only(sconceKeys);
  return {
    ...present("inputs", inputsOf(section)),
    ...present("outputs", outputsOf(section)),
    ...present("warmup", section.text("warmup")),
    ...present("executor", section.choice("executor", ["auto", "inline", "lane"] as const)),
    ...present("precision", section.choice("precision", ["float32", "bfloat16", "float16", "auto"] as const)),
    ...present("precisionTolerance", toleranceOf(section)),
    ...present("stateful", section.boolean("stateful")),
    ...present("priority", section.choice("priority", ["normal", "high"] as const)),
    ...present("maxInstances", section.integer("maxInstances", 1, 1_000_000)),
    ...present("topK", section.integer("topK", 1, 100_000)),
    ...present("threshold", section.number("threshold", 0, 1)),
    ...present("image", imageOf(section.section("image"), imageDefaults(handler))),
    ...present("text", textOf(section.section("text"))),
    ...present("script", scriptOf(section.section("handler"))),
  };
}

function toleranceOf(section: Section): number | undefined {
  const tolerance = section.number("precisionTolerance", 0, 1);
  const precision = section.text("precision") ?? "float32";
  if (tolerance === undefined || precision !== "float32") return tolerance;
  throw section.fail("precisionTolerance", "is for a shorter type than float32: set precision, too");
}

function textOf(section: Section | undefined): TextConfig | undefined {
  return section === undefined ? undefined : textConfigOf(section);
}

function scriptOf(section: Section | undefined): ScriptConfig | undefined {
  return section === undefined ? undefined : scriptConfigOf(section);
}

function inputsOf(section: Section): readonly InputSpec[] | undefined {
  const items = section.sections("inputs");
  if (!items) return undefined;
  if (items.length === 0 || items.length > maxTensors) {
    throw section.fail("inputs", `must list 1 to ${maxTensors} inputs; leave the key out when nothing is declared`);
  }
  const inputs = items.map(inputOf);
  const twice = inputs.find((each, i) => inputs.findIndex((other) => other.name === each.name) !== i);
  if (twice) throw section.fail("inputs", `has two inputs called ${JSON.stringify(twice.name)}`);
  const misplaced = inputs.findIndex((each, i) => !each.optional && inputs[i - 1]?.optional === true);
  if (misplaced >= 0) throw section.fail("inputs", "must list optional inputs after all others");
  return inputs;
}

function inputOf(item: Section): InputSpec {
  item.only(["name", "dtype", "shape", "optional"]);
  const name = tensorName(item, "name");
  if (name === "instances") {
    throw item.fail("name", 'is "instances", which requests use for several samples; give the input another name');
  }
  const dtype = item.choice("dtype", dtypes);
  if (dtype === undefined) throw item.fail("dtype", `is missing; one of ${dtypes.join(", ")}`);
  const shape = item.numbers("shape");
  if (shape === undefined)
    throw item.fail("shape", "is missing; one sample's shape without the batch dimension, such as [3, 224, 224]");
  const good = shape.every((size) => Number.isInteger(size) && size >= -1 && size !== 0 && size <= maxSize);
  const elements = shape.filter((size) => size > 0).reduce((product, size) => product * size, 1);
  if (!good || shape.length > maxDims || elements > maxSize) {
    throw item.fail(
      "shape",
      `must be at most ${maxDims} whole numbers, each at least 1, or -1 for any length; got ${JSON.stringify(shape)}`,
    );
  }
  return { name, dtype, shape, optional: item.boolean("optional") ?? false };
}

function outputsOf(section: Section): readonly string[] | undefined {
  const items = section.sections("outputs");
  if (!items) return undefined;
  const names = items.map((item) => {
    item.only(["name"]);
    return tensorName(item, "name");
  });
  if (new Set(names).size !== names.length) throw section.fail("outputs", "names an output twice");
  return names;
}

function tensorName(item: Section, key: string): string {
  const name = item.text(key);
  if (name === undefined) throw item.fail(key, "is missing");
  const hostile = /[\u0000-\u001f\u007f]/.test(name) || /\p{Surrogate}/u.test(name);
  if (hostile || Buffer.byteLength(name) > maxTensorNameBytes) {
    throw item.fail(key, `must be at most ${maxTensorNameBytes} bytes without control characters`);
  }
  return name;
}

function imageOf(section: Section | undefined, defaults: ImageTransform): ImageTransform | undefined {
  if (!section) return undefined;
  section.only(imageKeys);
  const channels = section.integer("channels", 1, 3) ?? 3;
  if (channels === 2) throw section.fail("channels", "must be 1 (grey) or 3, got 2");
  const crop = section.integer("crop", 0, maxSide) ?? defaults.crop;
  const resize = section.integer("resize", 0, maxSide) ?? (crop === 0 ? 0 : Math.max(defaults.resize, crop));
  if (crop === 0 && resize !== 0)
    throw section.fail("resize", `is ${resize}, and crop: 0 keeps the picture's own size`);
  if (resize !== 0 && resize < crop) {
    throw section.fail("resize", `is ${resize}, less than crop (${crop}); 0 resizes to crop × crop exactly`);
  }
  const figures = (key: "mean" | "std", fallback: readonly number[]): readonly number[] => {
    const given = section.numbers(key) ?? (channels === 3 ? fallback : fallback.slice(0, 1));
    const bad = (given.length !== 0 && given.length !== channels) || (key === "std" && given.some((each) => each <= 0));
    if (bad)
      throw section.fail(
        key,
        `must be ${channels} ${key === "std" ? "positive " : ""}number(s), one per channel, or [] for none`,
      );
    return given;
  };
  return {
    resize,
    crop,
    channels: channels === 1 ? 1 : 3,
    bgr: section.boolean("bgr") ?? false,
    interpolation: section.choice("interpolation", ["bilinear", "bicubic", "nearest"]) ?? "bilinear",
    mean: figures("mean", defaults.mean),
    std: figures("std", defaults.std),
    exif: section.boolean("exif") ?? false,
  };
}

/** What TorchServe's image_classifier does when nothing is said. */
export const defaultImage: ImageTransform = {
  resize: 256,
  crop: 224,
  channels: 3,
  bgr: false,
  interpolation: "bilinear",
  mean: imagenetMean,
  std: imagenetStd,
  exif: false,
};

/** Its object_detector's: pictures as they are. */
const detectorImage: ImageTransform = { ...defaultImage, resize: 0, crop: 0, mean: [], std: [] };

export function imageDefaults(handler: string): ImageTransform {
  return handler === "object_detector" ? detectorImage : defaultImage;
}
