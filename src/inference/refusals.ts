/** Why a request is not run, in the words every dialect uses. Pure. */

import type { ErrorCode } from "../errors.js";
import type { ModelEntry } from "../models/models.js";
import type { Route } from "./call.js";

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Nothing serves this name or version: unknown, on its way or broken. `waiting`: the versions of the name that are not
 * served; `known`: one of its versions is.
 */
export function missingModel(name: string, version: string, waiting: readonly ModelEntry[], known: boolean): Refusal {
  const entry = version === "" ? waiting[0] : waiting.find((each) => each.version === version);
  if (entry !== undefined) return { code: "not_ready", message: notServed(entry) };
  if (version === "" || (!known && waiting.length === 0)) {
    return { code: "model_not_found", message: `Model not found: ${name}` };
  }
  return { code: "version_not_found", message: `Model version: ${version} does not exist for model: ${name}` };
}

export function tooLate({ name, timeoutMs, by }: Route): Refusal {
  const late = `Model "${name}" gave no answer within ${timeoutMs / 1000} s`;
  return by === "client"
    ? { code: "client_timeout", message: `${late} (the model's clientTimeoutInMills).` }
    : { code: "deadline_exceeded", message: `${late} (--response-timeout or the model's responseTimeout).` };
}

/** For the Open Inference Protocol, which speaks tensors: this model's handler answers requests by itself. */
export function servedElsewhere(name: string): string {
  return `Model "${name}" has a handler of its own that takes no tensors: predict by /predictions.`;
}

function notServed(entry: ModelEntry): string {
  const what = `Model "${entry.name}" version ${entry.version}`;
  if (entry.state === "failed") return `${what} failed to load: ${entry.reason ?? "the server's log has the reason"}`;
  return `${what} is ${entry.state}${entry.phase === undefined ? "" : ` (${entry.phase})`}.`;
}
