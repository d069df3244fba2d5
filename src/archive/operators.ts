/**
 * Operators that libtorch has not: TorchScript names them in the sources that it stores, as `ops.torchvision.nms(…)`.
 * torchvision's are known by name, so that a file that calls one goes to Python, or is refused with what it lacks, before
 * libtorch sees it; of any other package's libtorch itself says that the operator is unknown.
 */
import { ServerError } from "../errors.js";
import type { PythonModel } from "../types.js";
import { invalid } from "./failure.js";
import type { Manifest } from "./manifest.js";
import { pictureHandlers } from "./names.js";
import { defaultMaxRetryMs } from "./python.js";

const sources = /\/code\/.+\.py$/;
const call = /\bops\.(torchvision)\.(\w{1,100})\(/;
/** Of a chunk's end, looked at again with the next one: longer than a call's name. */
const overlap = 128;

/** Looks through a TorchScript file's records as they are read. */
export class OperatorScan {
  /** The first one found, as "torchvision::nms". */
  found: string | undefined;
  private tail = "";
  private file = "";

  take(file: string, chunk: Buffer): void {
    if (this.found !== undefined || !sources.test(file)) return;
    const text = (file === this.file ? this.tail : "") + chunk.toString("latin1");
    const [, space, name] = call.exec(text) ?? [];
    if (name !== undefined) this.found = `${space}::${name}`;
    this.file = file;
    this.tail = text.slice(-overlap);
  }
}

export interface OperatorQuestion {
  /** For messages. */
  readonly path: string;
  readonly root: string;
  readonly manifest: Manifest;
  readonly handler: string;
  readonly maxRetryMs: number | undefined;
  readonly useVenv: boolean | undefined;
}

/**
 * The Python model of an artifact that calls `operator`. TorchServe's handlers of pictures import torchvision, others would
 * have to. Throws ServerError invalid_model for them and for what TorchServe's worker cannot find its way in.
 */
export function operatorModel(operator: string, question: OperatorQuestion): PythonModel {
  const { path, root, manifest, handler, maxRetryMs = defaultMaxRetryMs, useVenv } = question;
  if (!pictureHandlers.includes(handler) || manifest.serializedFile === undefined) {
    const handlers = `${pictureHandlers.join(", ")} or a .py file that imports torchvision`;
    const fix = `pack it as an archive with one of the handlers ${handlers}, and TorchServe's worker runs it (--python)`;
    throw invalid(
      path,
      `its TorchScript calls ${operator}, an operator of torchvision's that libtorch has not; ${fix}`,
    );
  }
  const { requirementsFile } = manifest;
  return {
    ...{ folder: root, handler, maxRetryMs, operator },
    ...(requirementsFile === undefined ? {} : { requirements: requirementsFile }),
    ...(useVenv === true ? { useVenv } : {}),
  };
}

const unknownOperator = /(?:not a TorchScript file that this libtorch reads: )?Unknown builtin op: (\w+::\w+)\./;

/** What libtorch says of an operator that it has not, with what can be done; any other error as it is. */
export function withOperatorWords(error: unknown): unknown {
  if (!(error instanceof ServerError) || error.code !== "invalid_model") return error;
  const message = error.message.replace(unknownOperator, (_all, operator: string) => {
    const what = `it calls ${operator}, an operator that libtorch has not: a Python package registers it`;
    return `${what}, so it takes a Python handler that imports that package (--python, docs/python-handlers.md)`;
  });
  return message === error.message ? error : new ServerError(error.code, message, { cause: error });
}
