/** `/ping`, `/v2/health/live` and `/v2/health/ready`: what main last said of the models, never a guess. Pure. */

import { healthWords, isServing } from "../../models/health.js";
import type { Health } from "../../models/models.js";
import { prettyJson } from "./errors.js";

export interface HealthAnswer {
  readonly status: 200 | 500 | 503;
  readonly body: string;
}

/** all ready or nothing configured: Healthy · some failed: Partial Healthy · none ready, still loading, draining: 503. */
export function ping(health: Health, draining: boolean, compat: "torchserve" | "sconce" = "sconce"): HealthAnswer {
  // TorchServe's 500, for `--compat torchserve`.
  const no = compat === "torchserve" && !draining ? 500 : 503;
  return status(isServing(health, draining) ? 200 : no, healthWords(health, draining));
}

/** Follows ping, in the words of the Open Inference Protocol. */
export function ready(health: Health, draining: boolean): HealthAnswer {
  return ping(health, draining).status === 200 ? isReady : notReady;
}

/** The process answers: enough to be alive, while loading and draining too. */
export const live: HealthAnswer = { status: 200, body: prettyJson({ live: true }) };

function status(code: HealthAnswer["status"], words: string): HealthAnswer {
  return { status: code, body: prettyJson({ status: words }) };
}

const isReady: HealthAnswer = { status: 200, body: prettyJson({ ready: true }) };
const notReady: HealthAnswer = { status: 503, body: prettyJson({ ready: false }) };
