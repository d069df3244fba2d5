/** `/ping`: what main last said of the models, never a guess. Pure. */

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

function status(code: HealthAnswer["status"], words: string): HealthAnswer {
  return { status: code, body: prettyJson({ status: words }) };
}
