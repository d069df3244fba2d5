/** What every thread is told of a version before it is routed. Pure. */

import type { ModelEntry } from "../models/models.js";
import type { HandlerSpec } from "../types.js";
import type { Announcement } from "./messages.js";

/** `entry`: the version as the models know it; without one only the handler is known. */
export function announcementOf(
  { name, version }: Pick<ModelEntry, "name" | "version">,
  handler: HandlerSpec,
  entry: ModelEntry | undefined,
  responseTimeoutMs: number,
): Announcement {
  const { spec, report } = entry ?? {};
  return {
    name,
    version,
    spec: handler,
    responseTimeoutMs: spec?.responseTimeoutMs ?? responseTimeoutMs,
    about: {
      kind: spec?.kind ?? "torchscript",
      inputs: spec?.signature.inputs ?? [],
      outputs: report?.outputs ?? [],
      maxBatchSize: report?.batchSize ?? 1,
      maxBatchDelayMs: spec?.maxBatchDelayMs ?? 0,
    },
  };
}
