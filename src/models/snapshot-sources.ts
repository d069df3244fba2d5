/** A snapshot → what to load of it. Pure. */
import { isAbsolute, join, normalize, resolve } from "node:path";
import type { VersionSettings } from "../config/model-settings.js";
import type { ModelSnapshot } from "../config/model-snapshot.js";
import { isUrl } from "../download/url.js";
import type { Said, ModelSource } from "./sources.js";
import { StartError } from "./start-error.js";

/**
 * Every version that the snapshot has; one that does not load ends the start, as in TorchServe. `store` is there when an
 * archive lies in it.
 */
export function snapshotSources(snapshot: ModelSnapshot, store: string | undefined): readonly ModelSource[] {
  return Object.entries(snapshot.models).flatMap(([name, versions]) =>
    Object.values(versions).map((version) => sourceOf(snapshot, name, version, store)),
  );
}

function sourceOf(
  snapshot: ModelSnapshot,
  name: string,
  version: VersionSettings,
  store: string | undefined,
): ModelSource {
  const { marName = "", minWorkers: min, maxWorkers = min ?? 0, defaultVersion } = version;
  return {
    path: pathOf(marName, store),
    ...(inStore(marName) ? { url: marName } : {}),
    name,
    required: true,
    said: saidOf(snapshot, version),
    ...(min === undefined ? {} : { workers: { min, max: Math.max(min, maxWorkers) } }),
    ...(defaultVersion === undefined ? {} : { isDefault: defaultVersion }),
  };
}

const inStore = (marName: string): boolean => !isUrl(marName) && !isAbsolute(marName);

function pathOf(marName: string, store: string | undefined): string {
  if (!inStore(marName)) return marName;
  const file = normalize(marName);
  if (file === ".." || file.startsWith("../")) {
    throw new StartError(marName, "marName names a file of the model store, and this lies outside it");
  }
  return join(store ?? "", file);
}

/** TorchServe always writes a batch size, which is 1 when nobody asked for batches; only a larger one says something. */
function saidOf({ writtenBy }: ModelSnapshot, version: VersionSettings): Said {
  const { batchSize, maxBatchDelay, responseTimeout, minWorkers } = version;
  const batched = batchSize !== undefined && (batchSize > 1 || writtenBy !== undefined);
  return {
    ...(batched ? { batchSize } : {}),
    ...(batched && maxBatchDelay !== undefined ? { maxBatchDelayMs: maxBatchDelay } : {}),
    ...(responseTimeout === undefined ? {} : { responseTimeoutMs: responseTimeout * 1000 }),
    // 0 instances come after the load; for the load itself it would mean one per core.
    ...(minWorkers === undefined ? {} : { workers: Math.max(1, minWorkers) }),
  };
}

/** `sources` without those that `others` load too. */
export function without(sources: readonly ModelSource[], others: readonly ModelSource[]): readonly ModelSource[] {
  const paths = new Set(others.map(({ path }) => resolve(path)));
  return sources.filter(({ path }) => !paths.has(resolve(path)));
}
