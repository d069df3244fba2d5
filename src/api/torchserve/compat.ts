/** Errors of predictions as TorchServe words and numbers them, for `--compat torchserve`. */

import type { ErrorCode } from "../../errors.js";
import type { Refusal } from "../../inference/refusals.js";
import type { Exchange } from "../../wire.js";
import { json, prettyJson, sendError } from "./errors.js";

const noWorker =
  "Please use scale workers API to add workers. If this is a sequence inference, please check if it is closed, or " +
  "expired; or exceeds maxSequenceJobQueueSize";

interface Asked {
  readonly name: string;
  /** "": none was named. */
  readonly version: string;
}

/** A late answer is a worker's death there: its words come first, then what it was. gRPC keeps DEADLINE_EXCEEDED. */
function late(message: string): { readonly status: number; readonly type: string; readonly message: string } {
  return { status: 500, type: "InternalServerException", message: `Worker died. ${message}` };
}

/** A full queue and no worker read alike there, and a model that raises is a 503. */
export function torchserveWords(
  code: ErrorCode,
  { name, version }: Asked,
): { readonly status: number; readonly type: string; readonly message: string } | undefined {
  const internal = "InternalServerException";
  if (code === "model_error") return { status: 503, type: internal, message: "Prediction failed" };
  if (code === "bad_output") return { status: 503, type: internal, message: "Invalid model predict output" };
  if (code === "out_of_memory") return { status: 507, type: internal, message: "Out of resources" };
  if (code !== "queue_full" && code !== "not_ready") return undefined;
  // The quotes do not pair; clients may match the text as it is.
  const model = version === "" ? `Model "${name}"` : `Model "${name}" Version ${version}"`;
  const message = `${model} has no worker to serve inference request. ${noWorker}`;
  return { status: 503, type: "ServiceUnavailableException", message };
}

/** The same for gRPC, as a row of the error table: a model that raises ends as a Python handler that raises does, 503. */
export function torchserveRefusal(code: ErrorCode, asked: Asked): Refusal | undefined {
  const words = torchserveWords(code, asked);
  const failed = code === "model_error" || code === "bad_output";
  return words && { code: failed ? "prediction_failed" : code, message: words.message };
}

export function sendAsTorchServe(exchange: Exchange, code: ErrorCode, message: string, asked: Asked): void {
  const words = code === "deadline_exceeded" ? late(message) : torchserveWords(code, asked);
  if (words === undefined) {
    sendError(exchange, code, message);
    return;
  }
  const { status, type } = words;
  exchange.refuse(status, json, prettyJson({ code: status, type, message: words.message }));
}
