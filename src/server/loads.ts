/**
 * What one thread knows of the versions that are not served, and the requests that wait for one of them to be loaded,
 * whichever protocol they came by, as in TorchServe.
 *
 *   show(entries)       what main says of the models has changed: whoever need not wait any more goes on
 *   end()               nobody waits any more
 *   wait(asked, go)     `go` is called when the load is over, however it ended, or the time is; what is asked then answers as it
 *                       always would. Returns how to leave before that; undefined: nothing holds the request up, or too many wait
 *
 * Thread: one per HTTP thread and one on the gRPC thread.
 */

import type { Pipeline } from "../inference/pipeline.js";
import type { ModelEntry } from "../models/models.js";

/** Waiting requests of one thread; more are answered at once. */
export const maxWaiting = 1000;

export interface Asked {
  readonly name: string;
  /** "": the default one. */
  readonly version: string;
}

export interface LoadsOptions {
  readonly pipeline: Pick<Pipeline, "versions" | "about" | "onlyName" | "routed">;
  /** 0: nothing waits. */
  readonly loadWaitMs: number;
  /** A request has waited for this version, which is served now. */
  readonly waited: (name: string, version: string) => void;
}

interface Waiting {
  readonly asked: Asked;
  readonly go: Go;
  readonly timer: NodeJS.Timeout;
}

/** False: there was nobody left to go on. */
export type Go = () => boolean;

/** How to leave. */
export type Leave = () => void;

export class Loads {
  private readonly options: LoadsOptions;
  private readonly waiting = new Set<Waiting>();
  private entries: readonly ModelEntry[] = [];
  private byName = new Map<string, ModelEntry[]>();
  /** Keys of those that are being loaded. */
  private loading = new Set<string>();
  private ended = false;

  constructor(options: LoadsOptions) {
    this.options = options;
  }

  /** Versions that are known but not served, by whose state their requests are answered. */
  get unready(): readonly ModelEntry[] {
    return this.entries;
  }

  unreadyOf(name: string): readonly ModelEntry[] {
    return this.byName.get(name) ?? [];
  }

  /** The name of the only model there is, or will be; undefined when there are more, or none. */
  onlyName(): string | undefined {
    const { pipeline } = this.options;
    const [coming, another] = this.byName.keys();
    return pipeline.onlyName() ?? (pipeline.routed().length === 0 && another === undefined ? coming : undefined);
  }

  show(entries: readonly ModelEntry[]): void {
    const byName = new Map<string, ModelEntry[]>();
    for (const entry of entries) byName.set(entry.name, [...(byName.get(entry.name) ?? []), entry]);
    this.entries = entries;
    this.byName = byName;
    this.loading = new Set(entries.filter(({ state }) => state === "loading").map(keyOf));
    // In the order in which they came.
    for (const each of this.waiting) if (!this.holdsUp(each.asked)) this.goOn(each);
  }

  /** Whether anything is being loaded. Asked for every request. */
  get busy(): boolean {
    return this.loading.size > 0 && this.options.loadWaitMs > 0 && !this.ended;
  }

  wait(asked: Asked, go: Go): Leave | undefined {
    if (!this.busy || this.waiting.size >= maxWaiting || !this.holdsUp(asked)) return undefined;
    const timer = setTimeout(() => this.goOn(waiting), this.options.loadWaitMs);
    const waiting: Waiting = { asked, go, timer };
    this.waiting.add(waiting);
    return () => this.leave(waiting);
  }

  /** The server ends: whoever waits goes on at once, and nobody waits any more. */
  end(): void {
    this.ended = true;
    for (const each of this.waiting) this.goOn(each);
  }

  /** Whether a load must be over before this can be answered. A version is announced a little before it is served. */
  private holdsUp({ name, version }: Asked): boolean {
    const isLoading = (each: string): boolean => this.loading.has(keyOf({ name, version: each }));
    if (version !== "") return isLoading(version);
    const loads = this.unreadyOf(name).some(({ state }) => state === "loading");
    return loads && this.options.pipeline.versions(name).every(isLoading);
  }

  private goOn(waiting: Waiting): void {
    this.leave(waiting);
    const { pipeline, waited } = this.options;
    const { name, version } = waiting.asked;
    const served = this.holdsUp(waiting.asked) ? undefined : pipeline.about(name, version);
    if (waiting.go() && served !== undefined) waited(name, served.version);
  }

  private leave(waiting: Waiting): void {
    clearTimeout(waiting.timer);
    this.waiting.delete(waiting);
  }
}

const keyOf = ({ name, version }: Asked): string => `${name}/${version}`;
