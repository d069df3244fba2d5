/**
 * model-config.yaml: TorchServe's keys beside the `sconce` section. Keys of `sconce` that are not known are refused;
 * TorchServe's own that this version does not act on are in server-keys.ts. Pure.
 */
import { dtypes, type ImageTransform, type InputSpec, type Precision, type Priority } from "../types.js";
import { deviceOf } from "./device-config.js";
import {
  imageKeys,
  inputKeys,
  maxDims,
  maxSize,
  maxTensorNameBytes,
  maxTensors,
  namesOf,
  outputKeys,
  readerOf,
  sconceKeys,
  topKeys,
} from "./model-keys.js";
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

/** torchvision's figures for ImageNet, which TorchServe's image handlers use. */
const imagenetMean = [0.485, 0.456, 0.406];
const imagenetStd = [0.229, 0.224, 0.225];

/** `file` is for messages; `handler`: the one that comes before the file's own. */
export function parseModelConfig(file: string, text: string, given?: string): ModelConfig {
  const top = parseYaml(file, text);
  const of = readerOf(top, topKeys);
  const [most, least] = [of("maxWorkers"), of("minWorkers")];
  if (most !== undefined && least !== undefined && most < least) {
    throw top.fail("maxWorkers", `is ${most}, less than minWorkers (${least})`);
  }
  const handler: unknown = top.plain("handler");
  return {
    ...(typeof handler === "string" ? { handler } : {}),
    ...present("batchSize", of("batchSize")),
    ...present("maxBatchDelayMs", of("maxBatchDelay")),
    ...present("responseTimeoutMs", inMs(of("responseTimeout"))),
    ...present("clientTimeoutMs", of("clientTimeoutInMills")),
    ...present("maxRetryMs", inMs(of("maxRetryTimeoutInSec"))),
    ...present("useVenv", of("useVenv")),
    ...present("pythonRefusal", pythonRefusal(top)),
    ...present("jobQueueSize", of("jobQueueSize")),
    ...deviceOf(top),
    ...present("instances", least),
    ...present("maxWorkers", most),
    ...present("startupTimeoutMs", inMs(of("startupTimeout"))),
    ...sconceSection(top.section("sconce"), given ?? (typeof handler === "string" ? handler : "")),
    warnings: nativeWarnings(file, top),
    pythonWarnings: pythonWarnings(file, top),
  };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds * 1000);
}

/** {key: value}, or nothing when there is no value (the types here are exact about absent keys). */
function present<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function sconceSection(section: Section | undefined, handler: string): Partial<ModelConfig> {
  if (!section) return {};
  section.only(namesOf(sconceKeys));
  const of = readerOf(section, sconceKeys);
  return {
    ...present("inputs", inputsOf(section)),
    ...present("outputs", outputsOf(section)),
    ...present("warmup", of("warmup")),
    ...present("executor", of("executor")),
    ...present("precision", of("precision")),
    ...present("precisionTolerance", toleranceOf(section)),
    ...present("stateful", of("stateful")),
    ...present("priority", of("priority")),
    ...present("maxInstances", of("maxInstances")),
    ...present("topK", of("topK")),
    ...present("threshold", of("threshold")),
    ...present("image", imageOf(section.section("image"), imageDefaults(handler))),
    ...present("text", textOf(section.section("text"))),
    ...present("script", scriptOf(section.section("handler"))),
  };
}

function toleranceOf(section: Section): number | undefined {
  const tolerance = readerOf(section, sconceKeys)("precisionTolerance");
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
  item.only(namesOf(inputKeys));
  const of = readerOf(item, inputKeys);
  const name = tensorName(item, "name");
  if (name === "instances") {
    throw item.fail("name", 'is "instances", which requests use for several samples; give the input another name');
  }
  const dtype = of("dtype");
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
  return { name, dtype, shape, optional: of("optional") ?? false };
}

function outputsOf(section: Section): readonly string[] | undefined {
  const items = section.sections("outputs");
  if (!items) return undefined;
  const names = items.map((item) => {
    item.only(namesOf(outputKeys));
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
  section.only(namesOf(imageKeys));
  const of = readerOf(section, imageKeys);
  const channels = of("channels") ?? 3;
  if (channels === 2) throw section.fail("channels", "must be 1 (grey) or 3, got 2");
  const crop = of("crop") ?? defaults.crop;
  const resize = of("resize") ?? (crop === 0 ? 0 : Math.max(defaults.resize, crop));
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
    bgr: of("bgr") ?? false,
    interpolation: of("interpolation") ?? "bilinear",
    mean: figures("mean", defaults.mean),
    std: figures("std", defaults.std),
    exif: of("exif") ?? false,
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
