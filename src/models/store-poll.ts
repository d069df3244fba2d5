/**
 * Looks at the model store, or at what the command line names, from time to time and follows it: archives and folders that
 * came, changed or went. One is taken once it looks the same two times in a row, so what is still being copied is left
 * alone. Main thread.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { stemOf } from "../archive/unpack.js";
import type { Log } from "../telemetry/log.js";
import type { Within } from "./store.js";

/** What is done about a change. Neither rejects: a model that does not load is said elsewhere. */
export interface Follower {
  /** Loads what lies there now; what `gone` (or the same path before) serves goes on until it serves. */
  follow(path: string, gone: readonly string[]): Promise<void>;
  /** Takes out of service what still serves from a path that is gone. */
  retire(path: string): Promise<void>;
}

export interface StorePollOptions {
  readonly follower: Follower;
  readonly list: () => Promise<readonly string[]>;
  readonly log: Log;
  readonly intervalMs: number;
  readonly within: Within;
}

/** A folder with more files than this is looked at by its first ones. */
const maxFiles = 1000;
const maxDepth = 8;

export class StorePoll {
  private readonly options: StorePollOptions;
  /** By path: how it looked when it was taken. */
  private readonly taken = new Map<string, string>();
  /** By path: how it looked the last time, when that was new. */
  private readonly fresh = new Map<string, string>();
  private readonly missing = new Set<string>();
  private trouble = "";
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: StorePollOptions) {
    this.options = options;
  }

  /** What is there now counts as taken: the start loads it. */
  async begin(): Promise<void> {
    for (const path of await this.listed()) this.taken.set(path, (await this.lookOf(path)) ?? "");
  }

  start(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.looking = this.look().then(() => this.start());
    }, this.options.intervalMs);
    this.timer.unref();
  }

  /** No change is followed any more once this resolves. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  /** One look; resolves when what it found is done. */
  async look(): Promise<void> {
    const paths = await this.listed();
    // An empty store is one that was unmounted, not one whose every model shall go.
    if (paths.length === 0) return;
    const changed = await this.changed(paths).catch((error: unknown) => {
      this.say(wordsOf(error));
      return undefined;
    });
    if (changed === undefined) return;
    const gone = this.gone(new Set(paths));
    const { follower } = this.options;
    if (this.stopped) return;
    await Promise.all(changed.map((path) => follower.follow(path, gone)));
    await Promise.all(gone.map((path) => follower.retire(path)));
  }

  private async listed(): Promise<readonly string[]> {
    try {
      const paths = await this.options.within(this.options.list);
      this.say(paths.length === 0 && this.taken.size > 0 ? "no model lies there any more" : "");
      return paths;
    } catch (error) {
      this.say(wordsOf(error));
      return [];
    }
  }

  /** Each trouble once, and its end. */
  private say(trouble: string): void {
    if (trouble === this.trouble || this.stopped) return;
    this.trouble = trouble;
    const { log } = this.options;
    if (trouble === "") log.info("the model store can be read again");
    else log.warn("the model store is not followed; what serves goes on", { reason: trouble });
  }

  private async changed(paths: readonly string[]): Promise<readonly string[]> {
    const due: string[] = [];
    for (const path of paths) {
      const look = await this.lookOf(path);
      const settled = look !== undefined && look === this.fresh.get(path);
      if (look === undefined || look === this.taken.get(path)) {
        this.fresh.delete(path);
      } else if (settled) {
        this.fresh.delete(path);
        this.taken.set(path, look);
        due.push(path);
      } else {
        this.fresh.set(path, look);
      }
    }
    return due;
  }

  /** Rejects when the store does not answer, which says nothing of what is there. */
  private lookOf(path: string): Promise<string | undefined> {
    return this.options.within(() => lookOf(path));
  }

  /** Those that were missed twice in a row. */
  private gone(there: ReadonlySet<string>): readonly string[] {
    const gone: string[] = [];
    for (const path of this.taken.keys()) {
      if (there.has(path)) this.missing.delete(path);
      else if (this.missing.has(path)) gone.push(path);
      else this.missing.add(path);
    }
    for (const path of gone) {
      this.taken.delete(path);
      this.missing.delete(path);
    }
    return gone;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How a file with what lies beside it, or a folder with what is in it, looks from outside; undefined: it is not there. */
async function lookOf(path: string): Promise<string | undefined> {
  try {
    const looks: string[] = [];
    if ((await stat(path)).isDirectory()) await addFolder(path, looks, 0);
    else await addFile(path, looks);
    return looks.join("\n");
  } catch {
    return undefined;
  }
}

async function addFile(path: string, looks: string[]): Promise<void> {
  const beside = [".yaml", ".yml"].map((ending) => join(dirname(path), `${stemOf(path)}${ending}`));
  for (const each of [path, ...beside]) {
    const found = await stat(each, { bigint: true }).catch(() => undefined);
    if (found === undefined && each === path) throw new Error(`${path} is gone`);
    if (found) looks.push(`${basename(each)} ${found.ino} ${found.size} ${found.mtimeNs}`);
  }
}

async function addFolder(path: string, looks: string[], depth: number): Promise<void> {
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    // An editor's swap files and a repository's own are no part of a model.
    if (entry.name.startsWith(".")) continue;
    const inside = join(path, entry.name);
    if (looks.length >= maxFiles) return;
    if (entry.isDirectory() && depth < maxDepth) await addFolder(inside, looks, depth + 1);
    else {
      const { ino, size, mtimeNs } = await stat(inside, { bigint: true });
      looks.push(`${inside} ${ino} ${size} ${mtimeNs}`);
    }
  }
}
