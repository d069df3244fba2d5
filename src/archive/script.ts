/** Whether a model has a handler in TypeScript or JavaScript, and what model-config.yaml says of it (`sconce.handler`). */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSpec, ScriptSpec } from "../types.js";
import { sha256File } from "./cache.js";
import { invalid } from "./failure.js";
import { insidePath } from "./manifest.js";
import type { ModelConfig } from "./model-config.js";
import { handlerKeys, maxConfigBytes, namesOf, readerOf } from "./model-keys.js";
import { scriptPattern } from "./names.js";
import type { Section } from "./yaml-section.js";

export interface ScriptConfig {
  readonly isolation?: ScriptSpec["isolation"];
  readonly hookTimeoutMs?: number;
  readonly config?: unknown;
}

const defaultMaxBatch = 64;
const defaultHookTimeoutMs = 30_000;

/** Throws ServerError invalid_model. */
export function scriptConfigOf(section: Section): ScriptConfig {
  section.only(namesOf(handlerKeys));
  const of = readerOf(section, handlerKeys);
  const [isolation, seconds] = [of("isolation"), of("hookTimeout")];
  const config: unknown = section.plain("config");
  if (config !== undefined && JSON.stringify(config).length > maxConfigBytes) {
    throw section.fail("config", `is more than ${maxConfigBytes} bytes; put it into a file of the archive`);
  }
  return {
    ...(isolation === undefined ? {} : { isolation }),
    ...(seconds === undefined ? {} : { hookTimeoutMs: Math.ceil(seconds * 1000) }),
    ...(config === undefined ? {} : { config }),
  };
}

export interface ScriptQuestion {
  /** For messages. */
  readonly path: string;
  readonly root: string;
  readonly handler: string;
  /** The model is a bare file: what lies beside it is not its own. */
  readonly bare: boolean;
  readonly config: ScriptConfig | undefined;
  readonly hookTimeoutMs?: number | undefined;
  readonly batchSize: number | undefined;
  readonly jobQueueSize: number;
  readonly maxRetryMs: number;
}

/** Undefined: the handler is none of these. Rejects with ServerError invalid_model when its file is not there. */
export async function scriptOf(question: ScriptQuestion): Promise<ScriptSpec | undefined> {
  const { path, root, handler, bare, config = {}, batchSize, jobQueueSize, maxRetryMs } = question;
  if (!scriptPattern.test(handler)) return undefined;
  const what = JSON.stringify(handler);
  if (bare) {
    const words = `the handler ${what} needs an archive or a folder with the model and the handler in it; sconce archive create packs one`;
    throw invalid(path, words);
  }
  const file = insidePath(path, "handler", handler);
  const found = await lstat(join(root, file)).catch(() => undefined);
  if (found?.isFile() !== true) throw invalid(path, `the handler is ${what}, and there is no such file in it`);
  return {
    key: "",
    folder: root,
    file,
    // What the operator says comes later (models/prepare.ts).
    isolation: config.isolation ?? "thread",
    maxMemory: 0,
    hookTimeoutMs: config.hookTimeoutMs ?? question.hookTimeoutMs ?? defaultHookTimeoutMs,
    maxRetryMs,
    maxWaiting: jobQueueSize,
    maxBatch: batchSize ?? defaultMaxBatch,
    config: config.config ?? {},
  };
}

/** Of a handler that is all there is. Rejects with ServerError invalid_model for what only a model file could have. */
export async function handlerAlone(
  path: string,
  { warmup, precision, inputs, outputs = [] }: Pick<ModelConfig, "warmup" | "precision" | "inputs" | "outputs">,
  script: ScriptSpec,
  topK: number,
): Promise<Pick<ModelSpec, "artifact" | "kind" | "sha256" | "signature" | "handler">> {
  const misplaced = warmup !== undefined ? "warmup" : precision !== undefined ? "precision" : undefined;
  if (misplaced !== undefined) throw invalid(path, `sconce.${misplaced} is for a model file, and there is none`);
  const artifact = join(script.folder, script.file);
  return {
    artifact,
    kind: "handler",
    sha256: await sha256File(artifact),
    signature: { declared: inputs !== undefined, inputs: inputs ?? [], outputs },
    handler: { name: script.file, topK, script: { ...script, alone: true } },
  };
}
