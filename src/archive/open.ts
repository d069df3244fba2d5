/**
 * From a path to a ModelSpec: unpacked, checked, typed; nothing of the model has run. The one entry to this folder.
 *
 *   const { spec, warnings } = await openModel({ path: "digits.mar" }, { cache, defaults });
 */
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { settingsOf, type ModelSettings } from "../config/model-settings.js";
import type { HandlerSpec, InputSpec, ModelSpec, PythonModel, ScriptSpec, Signature } from "../types.js";
import { checkArtifact } from "./artifact.js";
import { sha256File } from "./cache.js";
import { checkCompiled } from "./compiled.js";
import { invalid, renamed } from "./failure.js";
import { parseLabels } from "./labels.js";
import { existing, type Manifest } from "./manifest.js";
import { imageDefaults, parseModelConfig, type ModelConfig } from "./model-config.js";
import { builtinOf, maxNameBytes, namePattern, pictureHandlers, textHandlers } from "./names.js";
import { operatorModel } from "./operators.js";
import { defaultMaxRetryMs, handlerFile, pythonModel } from "./python.js";
import { unmetRequirements } from "./requirements.js";
import { scriptWarnings } from "./sagemaker.js";
import { handlerAlone, scriptOf } from "./script.js";
import { servingOf, type ServingDefaults } from "./serving.js";
import { textModel } from "./text-model.js";
import { isArchive, readText, unpack, type ModelFiles, type UnpackOptions } from "./unpack.js";

export interface ModelRequest {
  readonly path: string;
  /** Wins over the manifest's. */
  readonly name?: string;
  /** Wins over the manifest's. */
  readonly handler?: string;
}

export interface OpenOptions extends UnpackOptions {
  /** For what the model does not say itself. */
  readonly defaults: ServingDefaults & Partial<Pick<ScriptSpec, "hookTimeoutMs">>;
  /** Program that would run Python handlers, asked for what they require. */
  readonly python?: string;
  /** What the operator set for versions; wins over `defaults`. */
  readonly settings?: ModelSettings;
}

export interface OpenedModel {
  readonly spec: ModelSpec;
  readonly warnings: readonly string[];
}

const defaultTopK = 5;
/** Those that answer classes with probabilities. */
const topKHandlers = ["image_classifier", "text_classifier"];
/** As TorchServe's object_detector. */
const defaultThreshold = 0.5;

/** Rejects with ServerError invalid_model; its message begins with the file that is wrong. */
export async function openModel(request: ModelRequest, options: OpenOptions): Promise<OpenedModel> {
  const files = await unpack(request.path, options);
  const config: ModelConfig =
    files.configFile === undefined
      ? { warnings: [], pythonWarnings: [] }
      : parseModelConfig(
          shown(request, files, files.configFile),
          await readText(files.configFile),
          request.handler ?? files.manifest.handler,
        );
  const name = checkName(request.path, "name", request.name ?? files.manifest.modelName ?? files.stem);
  const version = checkName(request.path, "version", files.manifest.modelVersion ?? "1.0");
  const { defaults } = options;
  const set = settingsOf(options.settings ?? {}, name, version);
  const said = {
    name,
    version,
    ...servingOf(config, set, defaults),
    source: request.path,
    ...(files.manifest.lineage === undefined ? {} : { lineage: files.manifest.lineage }),
  };
  const script = await scriptOfModel(request, files, config, said, defaults.hookTimeoutMs);
  if (script !== undefined) {
    const plain = { ...config, handler: "base_handler" };
    const parts = (await files.holdsArtifact())
      ? await nativeParts(request, files, plain, options, script)
      : await handlerAlone(request.path, config, script, defaultTopK);
    return { spec: { ...said, ...parts }, warnings: [...config.warnings, ...manifestWarnings(request, files)] };
  }
  const python = await pythonOf(request, files, config);
  if (python !== undefined)
    return {
      spec: { ...said, ...(await pythonParts(files, python)) },
      warnings: [
        ...config.pythonWarnings,
        ...precisionWarnings(request, config),
        ...(await requirementsOf(request, files, python.useVenv === true ? undefined : options.python)),
      ],
    };
  const native = await nativeParts(request, files, config, options);
  const more =
    native.python === undefined
      ? manifestWarnings(request, files)
      : [
          ...precisionWarnings(request, config),
          ...(await movedWarnings(request, files, native.python, options.python)),
        ];
  const warnings = [...config.warnings, ...more];
  if (native.handler.image?.crop !== 0) return { spec: { ...said, ...native }, warnings };
  const alone = `${request.path}: batchSize ${said.batchSize} becomes 1: pictures keep their own size; sconce.image.crop gives them one`;
  return {
    spec: { ...said, ...native, batchSize: 1 },
    warnings: (said.batchSize ?? 1) > 1 ? [...warnings, alone] : warnings,
  };
}

type NativeParts = Pick<ModelSpec, "artifact" | "kind" | "sha256" | "signature" | "handler" | "warmup">;

async function nativeParts(
  request: ModelRequest,
  files: ModelFiles,
  config: ModelConfig,
  options: OpenOptions,
  script?: ScriptSpec,
): Promise<NativeParts & Pick<ModelSpec, "python">> {
  const { handler, inputs } =
    script === undefined
      ? await handlerOf(request, files, config, options)
      : { handler: { name: script.file, topK: defaultTopK, script }, inputs: undefined };
  const artifact = await files.artifact();
  const { kind, operator, compiled } = await checkArtifact(artifact).catch((error: unknown) =>
    renamed(error, artifact, shown(request, files, artifact)),
  );
  if (operator !== undefined) {
    const { path } = request;
    const { root, manifest } = files;
    const { maxRetryMs, useVenv } = config;
    const question = { path, root, manifest, handler: handler.name, maxRetryMs, useVenv };
    return pythonParts(files, operatorModel(operator, question));
  }
  const signature = signatureOf(request, { ...config, ...(inputs ? { inputs } : {}) }, handler, kind);
  if (compiled !== undefined) checkCompiled(request.path, compiled, signature.inputs, handler.text);
  const warmup = config.warmup === undefined ? undefined : await warmupOf(request, files, config.warmup);
  const sha256 = await sha256File(artifact);
  return { artifact, kind, sha256, signature, handler, ...(warmup === undefined ? {} : { warmup }) };
}

async function isBare(path: string): Promise<boolean> {
  return !isArchive(path) && (await stat(path)).isFile();
}

async function scriptOfModel(
  request: ModelRequest,
  { root, manifest }: ModelFiles,
  config: ModelConfig,
  { batchSize, jobQueueSize }: { readonly batchSize?: number; readonly jobQueueSize: number },
  hookTimeoutMs: number | undefined,
): Promise<ScriptSpec | undefined> {
  const { path } = request;
  const handler = handlerName(request, manifest, config);
  const bare = await isBare(path);
  const { script, maxRetryMs = defaultMaxRetryMs } = config;
  const found = await scriptOf({
    path,
    root,
    handler,
    bare,
    config: script,
    hookTimeoutMs,
    batchSize,
    jobQueueSize,
    maxRetryMs,
  });
  if (found !== undefined || script === undefined) return found;
  throw invalid(path, `sconce.handler is for handlers in TypeScript or JavaScript, and the handler is ${handler}`);
}

async function pythonOf(
  request: ModelRequest,
  files: ModelFiles,
  config: ModelConfig,
): Promise<PythonModel | undefined> {
  const bare = await isBare(request.path);
  const { path } = request;
  const { root, manifest } = files;
  const handler = handlerName(request, manifest, config);
  const { maxRetryMs, useVenv, pythonRefusal } = config;
  return pythonModel({ path, root, manifest, handler, bare, maxRetryMs, useVenv, refusal: pythonRefusal });
}

/** Its weights tell one from another, or else its code. */
async function pythonParts(
  { root, manifest }: ModelFiles,
  python: PythonModel,
): Promise<Partial<ModelSpec> & NativeParts> {
  const { serializedFile, modelFile } = manifest;
  const named = join(root, serializedFile ?? modelFile ?? handlerFile(python.handler));
  const found = await stat(named).catch(() => undefined);
  return {
    artifact: root,
    kind: "python",
    sha256: found?.isFile() === true ? await sha256File(named) : "",
    signature: { declared: false, inputs: [], outputs: [] },
    handler: { name: python.handler, topK: defaultTopK, python: true },
    python,
  };
}

function precisionWarnings({ path }: ModelRequest, { precision }: ModelConfig): readonly string[] {
  return precision === undefined ? [] : [`${path}: sconce.precision has no effect: Python runs the model`];
}

/** Of a model that is Python's for an operator that it calls. */
async function movedWarnings(
  request: ModelRequest,
  files: ModelFiles,
  { operator, useVenv }: PythonModel,
  python: string | undefined,
): Promise<readonly string[]> {
  const why = `${request.path}: Python runs it, as it calls ${operator}; what sconce.* says of pictures has no effect there`;
  return [why, ...(await requirementsOf(request, files, useVenv === true ? undefined : python))];
}

/** `python`: the one that runs the model and has to have what it lists; undefined: it is not asked. */
async function requirementsOf(
  { path }: ModelRequest,
  { manifest, root }: ModelFiles,
  python: string | undefined,
): Promise<readonly string[]> {
  const { requirementsFile } = manifest;
  if (requirementsFile === undefined || python === undefined) return [];
  const unmet = (await unmetRequirements(python, join(root, requirementsFile))) ?? [];
  return unmet.map((each) => `${path}: ${requirementsFile}: ${each} (--python ${python})`);
}

function manifestWarnings(request: ModelRequest, { manifest, root }: ModelFiles): readonly string[] {
  const { requirementsFile } = manifest;
  const unread = scriptWarnings(request.path, root);
  return requirementsFile === undefined
    ? unread
    : [...unread, `${request.path}: ${requirementsFile} is not installed, as no Python runs for this model`];
}

/** A file inside an archive as `archive: file`, any other as its path. */
function shown(request: ModelRequest, files: ModelFiles, file: string): string {
  return isArchive(request.path) ? `${request.path}: ${relative(files.root, file)}` : file;
}

function checkName(path: string, what: "name" | "version", value: string): string {
  if (namePattern.test(value) && Buffer.byteLength(value) <= maxNameBytes) return value;
  const fix = what === "name" ? "; give it another (name=path on the command line, model_name when registering)" : "";
  throw invalid(
    path,
    `${JSON.stringify(value)} cannot be a model's ${what}: letters, digits, _, - and . after a letter or digit, at most ${maxNameBytes} bytes${fix}`,
  );
}

interface Chosen {
  readonly handler: HandlerSpec;
  /** What the handler makes, where it decides about that. */
  readonly inputs?: readonly InputSpec[];
}

async function handlerOf(
  request: ModelRequest,
  files: ModelFiles,
  config: ModelConfig,
  options: OpenOptions,
): Promise<Chosen> {
  const name = handlerName(request, files.manifest, config);
  const labels =
    files.labelsFile === undefined
      ? undefined
      : parseLabels(shown(request, files, files.labelsFile), await readText(files.labelsFile));
  const image = pictureHandlers.includes(name) ? (config.image ?? imageDefaults(name)) : undefined;
  if (config.image && !image) {
    throw invalid(request.path, `sconce.image is for ${pictureHandlers.join(", ")}, and the handler is ${name}`);
  }
  const threshold = thresholdOf(request.path, name, config);
  checkTopK(request.path, name, config);
  const maxInstances = config.maxInstances ?? options.defaults.maxInstances;
  const spec = {
    name,
    ...(image ? { image, maxPictures: maxInstances } : {}),
    ...threshold,
    ...(labels ? { labels } : {}),
  };
  if (!textHandlers.includes(name)) {
    if (config.text)
      throw invalid(request.path, `sconce.text is for ${textHandlers.join(", ")}, and the handler is ${name}`);
    return { handler: { ...spec, topK: config.topK ?? defaultTopK } };
  }
  const facts = {
    path: request.path,
    handler: name,
    root: files.root,
    config: config.text,
    inputs: config.inputs,
    maxInstances,
  };
  const { text, inputs } = await textModel(facts);
  return { handler: { ...spec, text, topK: config.topK ?? 0 }, inputs };
}

function thresholdOf(path: string, handler: string, { threshold }: ModelConfig): { readonly threshold?: number } {
  if (handler === "object_detector") return { threshold: threshold ?? defaultThreshold };
  if (threshold === undefined) return {};
  throw invalid(path, `sconce.threshold is for object_detector, and the handler is ${handler}`);
}

/** A key without effect would hide a mistake. */
function checkTopK(path: string, handler: string, { topK }: ModelConfig): void {
  if (topK === undefined || topKHandlers.includes(handler)) return;
  throw invalid(path, `sconce.topK is for ${topKHandlers.join(" and ")}, and the handler is ${handler}`);
}

function handlerName(request: ModelRequest, manifest: Manifest, config: ModelConfig): string {
  const { path } = request;
  if (manifest.runtime === "LSP") {
    throw invalid(path, "the manifest's runtime is LSP, TorchServe's C++ back end; pack the model with runtime python");
  }
  const fallback = config.image ? "image_classifier" : "base_handler";
  return builtinOf(request.handler ?? manifest.handler ?? config.handler ?? fallback);
}

function signatureOf(
  request: ModelRequest,
  config: ModelConfig,
  handler: HandlerSpec,
  kind: ModelSpec["kind"],
): Signature {
  const outputs = config.outputs ?? [];
  const { image } = handler;
  if (image) {
    const side = image.crop === 0 ? -1 : image.crop;
    const shape = [image.channels, side, side];
    const inputs = config.inputs ?? [{ name: "image", dtype: "float32", shape, optional: false }];
    checkImageInput(request.path, handler.name, inputs, shape);
    return { declared: true, inputs, outputs };
  }
  if (config.inputs) return { declared: true, inputs: config.inputs, outputs };
  if (kind === "aotinductor") {
    throw invalid(
      request.path,
      "a compiled package does not check its inputs, so they must be declared: add to its yaml `sconce: {inputs: [{name: x, dtype: float32, shape: […]}]}` (shape without the batch dimension)",
    );
  }
  return { declared: false, inputs: [], outputs };
}

function checkImageInput(path: string, handler: string, inputs: readonly InputSpec[], shape: readonly number[]): void {
  const [input] = inputs;
  const fits =
    inputs.length === 1 && input?.dtype === "float32" && JSON.stringify(input.shape) === JSON.stringify(shape);
  if (fits) return;
  throw invalid(
    path,
    `${handler} makes one float32 tensor of shape ${JSON.stringify(shape)} (sconce.image: channels, crop, crop), and sconce.inputs declares something else`,
  );
}

async function warmupOf(request: ModelRequest, files: ModelFiles, path: string): Promise<string> {
  const file = files.configFile === undefined ? request.path : shown(request, files, files.configFile);
  return existing(files.root, file, "sconce.warmup", path);
}
