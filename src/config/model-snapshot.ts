/**
 * What a server had loaded, as TorchServe's `model_snapshot` says it and as it is written here: models, versions, archives,
 * workers, defaults. Pure.
 *
 *   {"models": {"resnet": {"1.0": {"marName": "resnet.mar", "defaultVersion": true, "minWorkers": 2, "maxWorkers": 2}}}}
 */
import { checkModelSettings, type ModelSettings } from "./model-settings.js";

export interface ModelSnapshot {
  /** Every version names its archive: a file of the model store, an absolute path or a URL. */
  readonly models: ModelSettings;
  /** "sconce" in those written here, where a batch size is only named when somebody asked for it. */
  readonly writtenBy?: string;
}

export const modelSnapshotAllowed =
  'JSON like {"models": {"model": {"1.0": {"marName": "model.mar", "defaultVersion": true, "minWorkers": 1}}}}';

/** Other keys beside `models` (TorchServe's name, modelCount, created) say nothing that is needed. */
export function checkModelSnapshot(value: unknown): ModelSnapshot | string {
  if (typeof value !== "object" || value === null || !("models" in value)) return "has no models";
  const models = checkModelSettings(value.models, true);
  if (typeof models === "string") return models;
  for (const [name, versions] of Object.entries(models)) {
    const nameless = Object.entries(versions).find(([, { marName }]) => marName === undefined);
    if (nameless) return `${JSON.stringify(name)} version ${JSON.stringify(nameless[0])} names no archive (marName)`;
  }
  const writtenBy = "writtenBy" in value && value.writtenBy === "sconce" ? { writtenBy: value.writtenBy } : {};
  return { models, ...writtenBy };
}

/** Reads JSON text; undefined when it is no snapshot. */
export function parseModelSnapshot(text: string): ModelSnapshot | undefined {
  try {
    const read = checkModelSnapshot(JSON.parse(text));
    return typeof read === "string" ? undefined : read;
  } catch {
    return undefined;
  }
}
