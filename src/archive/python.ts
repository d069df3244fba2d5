/**
 * Whether a model is Python's affair: an eager model, a handler of the archive, or one of TorchServe's own that does not
 * run here. Reads names only.
 */
import { lstat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PythonModel } from "../types.js";
import { invalid } from "./failure.js";
import type { Manifest } from "./manifest.js";
import { builtinHandlers, nativeHandlers } from "./names.js";
import { pickledVocabularies } from "./text-model.js";

/** How long a worker that keeps ending is started again, as in TorchServe. */
export const defaultMaxRetryMs = 300_000;

export interface PythonQuestion {
  /** For messages. */
  readonly path: string;
  readonly root: string;
  readonly manifest: Manifest;
  /** The handler that was asked for, by whomever. */
  readonly handler: string;
  /** The model is a bare file: what lies beside it is not its own. */
  readonly bare: boolean;
  readonly maxRetryMs?: number | undefined;
  readonly useVenv?: boolean | undefined;
  /** Why its configuration cannot be followed where Python runs it. */
  readonly refusal?: string | undefined;
}

/**
 * Undefined: it runs natively. Rejects with ServerError invalid_model when the handler is nowhere to be found, or its
 * configuration asks for what would make its answers other ones here.
 */
export async function pythonModel(question: PythonQuestion): Promise<PythonModel | undefined> {
  const { path, root, manifest, handler, bare, maxRetryMs, useVenv, refusal } = question;
  const eager = manifest.modelFile !== undefined;
  if (!eager && nativeHandlers.includes(handler) && !(await hasPickledWords(root, handler))) return undefined;
  if (!builtinHandlers.includes(handler)) await checkFile(path, root, handler, bare);
  if (refusal !== undefined) throw invalid(path, refusal);
  return {
    folder: root,
    handler,
    maxRetryMs: maxRetryMs ?? defaultMaxRetryMs,
    ...(manifest.requirementsFile === undefined ? {} : { requirements: manifest.requirementsFile }),
    ...(useVenv === true ? { useVenv } : {}),
  };
}

/** TorchServe's text_classifier, whose vocabulary is a pickle, and no tokenizer that could be used instead. */
async function hasPickledWords(root: string, handler: string): Promise<boolean> {
  if (handler !== "text_classifier") return false;
  const has = (name: string): Promise<boolean> =>
    lstat(join(root, name)).then(
      (found) => found.isFile(),
      () => false,
    );
  return !(await has("tokenizer.json")) && (await Promise.all(pickledVocabularies.map(has))).includes(true);
}

/** As TorchServe's worker looks for it: the last part of the path, with or without its ending. */
export function handlerFile(handler: string): string {
  const [file = ""] = handler.split(":");
  return `${basename(file).replace(/\.py$/, "")}.py`;
}

async function checkFile(path: string, root: string, handler: string, bare: boolean): Promise<void> {
  const file = handlerFile(handler);
  const found = await lstat(join(root, file)).catch(() => undefined);
  if (found?.isFile() === true && !bare) return;
  const what = JSON.stringify(handler);
  const where = bare
    ? `${what} is a Python handler, which needs an archive or a folder with both in it; TorchServe's torch-model-archiver packs one`
    : `${what} is no built-in handler (${builtinHandlers.join(", ")}), and the archive holds no file ${file}`;
  throw invalid(path, `the handler ${where}`);
}
