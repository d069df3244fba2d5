/**
 * Writes what is loaded, so that the next start finds it: after the start, after every change, at the end. One write at a
 * time; of changes that come while one is under way only the last is written. A write that fails is logged and nothing
 * else. Main thread.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { join, relative, resolve, sep } from "node:path";
import { appear } from "../archive/atomic.js";
import type { VersionSettings } from "../config/model-settings.js";
import { formatProperties } from "../config/properties.js";
import { snapshotName, snapshotsIn, type SnapshotKind } from "../config/snapshot-files.js";
import { isUrl } from "../download/url.js";
import type { Log } from "../telemetry/log.js";
import type { ModelEntry } from "./models.js";

/** Files that are kept, the newest ones. */
export const maxSnapshots = 100;
/** Nobody waits longer for a disk. */
const maxWaitMs = 1000;

export interface SnapshotOptions {
  readonly folder: string;
  readonly modelStore: string | undefined;
  readonly log: Log;
  /** For tests. */
  readonly now?: () => Date;
}

export class Snapshots {
  private readonly options: SnapshotOptions;
  private begun = false;
  private waiting: { readonly kind: SnapshotKind; readonly entries: readonly ModelEntry[] } | undefined;
  private writing: Promise<void> | undefined;

  constructor(options: SnapshotOptions) {
    this.options = options;
  }

  /** `startup` begins; before it there is nothing whole to write. */
  note(kind: SnapshotKind, entries: readonly ModelEntry[]): void {
    if (kind === "startup") this.begun = true;
    if (!this.begun) return;
    this.waiting = { kind, entries };
    this.writing ??= this.writeAll();
  }

  /** Resolves when what was noted is on the disk, or the disk is slow. */
  async written(): Promise<void> {
    if (this.writing !== undefined)
      await Promise.race([this.writing, setTimeout(maxWaitMs, undefined, { ref: false })]);
  }

  /** The last one; resolves when it is on the disk. */
  async end(entries: readonly ModelEntry[]): Promise<void> {
    this.note("shutdown", entries);
    this.begun = false;
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    for (let next = this.waiting; next !== undefined; next = this.waiting) {
      this.waiting = undefined;
      try {
        await this.write(next.kind, next.entries);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.options.log.warn("a snapshot was not written (--snapshot-folder)", {
          folder: this.options.folder,
          reason,
        });
      }
    }
    this.writing = undefined;
  }

  private async write(kind: SnapshotKind, entries: readonly ModelEntry[]): Promise<void> {
    const { folder, modelStore, now = () => new Date() } = this.options;
    const time = now();
    await mkdir(folder, { recursive: true });
    const path = join(folder, snapshotName(kind, time));
    const text = snapshotText(entries, { name: snapshotName(kind, time), created: time.getTime(), modelStore });
    // URLs and paths in it are nobody else's business.
    await appear(path, (temporary) => writeFile(temporary, text, { mode: 0o600 }));
    for (const old of snapshotsIn(folder).slice(maxSnapshots)) await rm(old, { force: true });
  }
}

interface TextOptions {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly modelStore: string | undefined;
}

/** The file's text: what serves, in TorchServe's form. */
export function snapshotText(
  entries: readonly ModelEntry[],
  { name, created, modelStore: store }: TextOptions,
): string {
  const models: Record<string, Record<string, VersionSettings>> = Object.create(null) as never;
  for (const entry of entries) {
    if (entry.state === "ready") (models[entry.name] ??= {})[entry.version] = versionOf(entry, store);
  }
  const snapshot = { name, modelCount: Object.keys(models).length, created, writtenBy: "sconce", models };
  return formatProperties([
    ...(store === undefined ? [] : [["model_store", resolve(store)] as const]),
    ["model_snapshot", JSON.stringify(snapshot)],
  ]);
}

function versionOf({ isDefault, workers, spec, url }: ModelEntry, store: string | undefined): VersionSettings {
  const instances = spec?.instances ?? 0;
  const bounds = workers ?? (instances === 0 ? undefined : { min: instances, max: instances });
  return {
    defaultVersion: isDefault,
    marName: archiveName(spec?.source ?? url ?? "", store),
    ...(bounds === undefined ? {} : { minWorkers: bounds.min, maxWorkers: bounds.max }),
    ...(spec?.batchSize === undefined ? {} : { batchSize: spec.batchSize }),
    ...(spec === undefined ? {} : { maxBatchDelay: spec.maxBatchDelayMs }),
    ...(spec === undefined ? {} : { responseTimeout: Math.max(1, Math.ceil(spec.responseTimeoutMs / 1000)) }),
    // For TorchServe, should it read the file: of what serves here it knows no other.
    runtimeType: "python",
  };
}

/** A file of the store by its name there, any other by its whole path. */
function archiveName(source: string, store: string | undefined): string {
  if (isUrl(source)) return source;
  const inside = store === undefined ? ".." : relative(resolve(store), resolve(source));
  return inside === "" || inside === ".." || inside.startsWith(`..${sep}`) ? resolve(source) : inside;
}
