/**
 * What the followed model store asks for, done so that no request is without an answer: the new one serves before the old
 * one goes, and one that does not load leaves the old one where it was. Main thread.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isUrl } from "../download/url.js";
import type { Defaults } from "./defaults.js";
import type { Within } from "./store.js";
import type { Follower } from "./store-poll.js";
import type { ModelTable } from "./table.js";
import type { Tracked, Wanted } from "./tracked.js";

/** What the manager lends for it. */
export interface FollowOptions {
  readonly table: ModelTable;
  readonly defaults: Defaults;
  /** Wants a model and starts its load. */
  readonly load: (wanted: Wanted) => Tracked;
  /** Wants it no more: it is cancelled, unloaded or forgotten. */
  readonly drop: (id: string) => void;
  readonly reconcile: () => void;
  readonly within: Within;
  /** What is followed are paths of the command line, and no files of the model store, which are called by their names. */
  readonly watch: boolean;
}

export class StoreFollower implements Follower {
  private readonly options: FollowOptions;

  constructor(options: FollowOptions) {
    this.options = options;
  }

  async follow(path: string, gone: readonly string[]): Promise<void> {
    for (const failed of await this.placedAt([path], "failed")) this.options.drop(failed.id);
    const before = await this.placedAt([path, ...gone], "ready");
    const [old] = await this.placedAt([path], "ready");
    const model = this.options.load({
      path,
      required: false,
      trigger: "store",
      replaces: new Set(before.map(({ id }) => id)),
      ...(this.options.watch ? {} : { url: basename(path) }),
      ...(old === undefined ? {} : keptOf(old)),
    });
    await model.settled;
    if (old === undefined || !this.isServed(old)) return;
    if (model.state === "ready") {
      await this.retireOne(old, model.name === old.name ? model.version : undefined);
    } else {
      // One entry per version: what went wrong is said of the one that goes on.
      old.reason = `${old.source.url ?? path} changed, and what is there now is not served: ${model.reason ?? "it does not load"}`;
      old.note(old.reason);
      this.options.drop(model.id);
    }
  }

  async retire(path: string): Promise<void> {
    for (const failed of await this.placedAt([path], "failed")) this.options.drop(failed.id);
    for (const model of await this.placedAt([path], "ready")) await this.retireOne(model);
  }

  /** `successor`: the version of the same name that takes its place as the default. */
  private async retireOne(model: Tracked, successor?: string): Promise<void> {
    const { table, defaults, drop, reconcile } = this.options;
    const { name, version } = model;
    if (defaults.routed.get(name) === version) {
      const ready = table.siblingsOf(model).filter((each) => each.state === "ready");
      const next = successor ?? ready.at(-1)?.version;
      if (next !== undefined) {
        defaults.choose(name, next);
        reconcile();
        await defaults.announced(name);
      }
    }
    drop(model.id);
  }

  private isServed({ id, state }: Tracked): boolean {
    return state === "ready" && this.options.table.all().some((each) => each.id === id);
  }

  private async placedAt(paths: readonly string[], wanted: "ready" | "failed"): Promise<readonly Tracked[]> {
    const folders = new Map<string, string>();
    const there = new Set<string>();
    for (const path of paths) there.add(await this.placeOf(path, folders));
    const placed: Tracked[] = [];
    for (const model of this.options.table.all()) {
      if (model.state !== wanted || isUrl(model.source.path)) continue;
      if (there.has(await this.placeOf(model.source.path, folders))) placed.push(model);
    }
    return placed;
  }

  /** One word for a file however its folder is written; the file may be gone. `folders`: what was looked up before. */
  private async placeOf(path: string, folders: Map<string, string>): Promise<string> {
    const folder = dirname(resolve(path));
    const real = folders.get(folder) ?? (await this.options.within(() => realpath(folder)).catch(() => folder));
    folders.set(folder, real);
    return join(real, basename(resolve(path)));
  }
}

/** What an operator said of the one before stays true of the next. */
function keptOf({ source, workers }: Tracked): Partial<Wanted> {
  const said = source.request ?? source.said;
  return {
    ...(source.name === undefined ? {} : { name: source.name }),
    ...(source.url === undefined ? {} : { url: source.url }),
    ...(said === undefined ? {} : { said }),
    ...(workers === undefined ? {} : { workers }),
  };
}
