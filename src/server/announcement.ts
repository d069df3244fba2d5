/** What every thread is told of a version before it is routed. Pure. */

import type { ModelEntry } from "../models/models.js";
import type { AnswerLimit, HandlerSpec, ModelSpec } from "../types.js";
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
    limit: limitOf(spec ?? { responseTimeoutMs }),
    about: {
      kind: spec?.kind ?? "torchscript",
      inputs: spec?.signature.inputs ?? [],
      outputs: report?.outputs ?? [],
      maxBatchSize: report?.batchSize ?? 1,
      maxBatchDelayMs: spec?.maxBatchDelayMs ?? 0,
    },
  };
}

/** The first of both to pass. */
function limitOf({
  responseTimeoutMs,
  clientTimeoutMs,
}: Pick<ModelSpec, "responseTimeoutMs" | "clientTimeoutMs">): AnswerLimit {
  const sooner = clientTimeoutMs !== undefined && (responseTimeoutMs === 0 || clientTimeoutMs < responseTimeoutMs);
  return sooner ? { timeoutMs: clientTimeoutMs, by: "client" } : { timeoutMs: responseTimeoutMs, by: "server" };
}

/** The versions that are not served, without what the threads have no use for or what changes all the time. */
export function unreadyOf(entries: readonly ModelEntry[]): readonly ModelEntry[] {
  const unready = entries.filter((entry) => entry.state !== "ready");
  return unready.map(({ spec: _spec, report: _report, phases: _phases, ...entry }) => ({ ...entry, loadSeconds: 0 }));
}
