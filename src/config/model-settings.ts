/**
 * What an operator sets for versions of models that do not say it themselves: TorchServe's `models={…}` of
 * config.properties, `modelSettings` of sconce.yaml. A model's own model-config.yaml wins. Pure.
 *
 *   {"resnet": {"1.0": {"batchSize": 8, "maxBatchDelay": 20, "minWorkers": 2, "defaultVersion": true}}}
 */

/** Keys and units are TorchServe's. */
export interface VersionSettings {
  /** Requests without a version go to this one. */
  readonly defaultVersion?: boolean;
  /** The archive; only snapshots need it. */
  readonly marName?: string;
  readonly minWorkers?: number;
  readonly maxWorkers?: number;
  readonly batchSize?: number;
  /** Milliseconds. */
  readonly maxBatchDelay?: number;
  /** Seconds. */
  readonly responseTimeout?: number;
  /** Seconds. */
  readonly startupTimeout?: number;
  readonly runtimeType?: string;
  readonly parallelLevel?: number;
}

/** Model → version → settings. */
export type ModelSettings = Readonly<Record<string, Readonly<Record<string, VersionSettings>>>>;

export const modelSettingsAllowed =
  'JSON like {"model": {"1.0": {"minWorkers": 1, "batchSize": 8, "maxBatchDelay": 50, "responseTimeout": 120}}}';

const maxCount = 1_000_000;
const checks: Readonly<Record<keyof VersionSettings, (value: unknown) => boolean>> = {
  defaultVersion: (value) => typeof value === "boolean",
  marName: (value) => typeof value === "string" && value !== "",
  minWorkers: isCount,
  maxWorkers: isCount,
  batchSize: isCount,
  maxBatchDelay: isCount,
  responseTimeout: isCount,
  startupTimeout: isCount,
  runtimeType: (value) => typeof value === "string",
  parallelLevel: isCount,
};

/** Values of 0 and below mean "not set" in TorchServe. */
function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= maxCount;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys whose 0 means something in a snapshot: a model without workers takes no requests. */
const zeroCounts: readonly (keyof VersionSettings)[] = ["minWorkers", "maxWorkers"];

/**
 * The settings without what is not set; a string is where and why they are wrong. `keepZero`: 0 workers are 0 workers.
 */
export function checkModelSettings(value: unknown, keepZero = false): ModelSettings | string {
  if (!isObject(value)) return "is no object";
  const models: Record<string, Readonly<Record<string, VersionSettings>>> = Object.create(null) as never;
  for (const [name, versions] of Object.entries(value)) {
    if (!isObject(versions)) return `${JSON.stringify(name)} holds no object of versions`;
    const found: Record<string, VersionSettings> = Object.create(null) as never;
    for (const [version, settings] of Object.entries(versions)) {
      const read = checkVersion(settings, keepZero);
      if (typeof read === "string") return `${JSON.stringify(name)} version ${JSON.stringify(version)}: ${read}`;
      found[version] = read;
    }
    models[name] = found;
  }
  return models;
}

function checkVersion(value: unknown, keepZero: boolean): VersionSettings | string {
  if (!isObject(value)) return "no object of settings";
  const kept: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    if (!Object.hasOwn(checks, key)) return `${JSON.stringify(key)} is none of ${Object.keys(checks).join(", ")}`;
    if (!checks[key as keyof VersionSettings](each)) return `${key} cannot be ${JSON.stringify(each)}`;
    const zero = keepZero && each === 0 && zeroCounts.includes(key as keyof VersionSettings);
    if (typeof each !== "number" || each > 0 || zero) kept[key] = each;
  }
  return kept;
}

/** Reads JSON text; undefined when it is not such settings. */
export function parseModelSettings(text: string): ModelSettings | undefined {
  try {
    const read = checkModelSettings(JSON.parse(text));
    return typeof read === "string" ? undefined : read;
  } catch {
    return undefined;
  }
}

/** TorchServe's settings that ask for what is not done here, and what holds instead. */
const without: Partial<Record<keyof VersionSettings, string>> = {
  runtimeType: "models run on libtorch in the server's process",
  parallelLevel: "a model runs on one device",
};

/** A line for each setting that changes nothing. */
export function settingsWithoutEffect(settings: ModelSettings): string[] {
  return Object.entries(settings).flatMap(([name, versions]) =>
    Object.entries(versions).flatMap(([version, given]) =>
      Object.keys(given).flatMap((key) => {
        const instead = without[key as keyof VersionSettings];
        return instead === undefined ? [] : [`models: ${name} ${version}: ${key} has no effect: ${instead}`];
      }),
    ),
  );
}

/** What is set for one version; `{}` when nothing is. */
export function settingsOf(settings: ModelSettings, name: string, version: string): VersionSettings {
  const versions = Object.hasOwn(settings, name) ? settings[name] : undefined;
  return versions !== undefined && Object.hasOwn(versions, version) ? (versions[version] ?? {}) : {};
}
