/** From a spec that is safe to load to a version that every HTTP thread can reach, in the engine's order. Main thread. */
import { withOperatorWords } from "../archive/operators.js";
import { settingsOf } from "../config/model-settings.js";
import type { ServeConfig } from "../config/serve-config.js";
import type { Engine } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import type { LoadReport, ModelSpec } from "../types.js";
import { loadWarnings } from "./checks.js";
import type { Defaults } from "./defaults.js";
import type { Instances } from "./instances.js";
import type { Announce, Workers } from "./models.js";
import type { ModelTable } from "./table.js";
import type { Tracked } from "./tracked.js";

/** What the manager lends for it. */
export interface PublishOptions {
  readonly engine: Engine;
  readonly announce: Announce;
  readonly table: ModelTable;
  readonly defaults: Defaults;
  readonly instances: Instances;
  readonly config: ServeConfig;
  readonly log: Log;
  /** It is wanted no more: another one took its place. */
  readonly forget: (id: string) => void;
}

export class Publisher {
  private readonly with: PublishOptions;

  constructor(options: PublishOptions) {
    this.with = options;
  }

  /** Resolves once it serves; rejects with nothing changed. */
  async load(model: Tracked, spec: ModelSpec): Promise<void> {
    model.abort.signal.throwIfAborted();
    // Until the engine begins.
    model.reach("waiting");
    // For the engine 0 is one per core; for a registration it is none, which it becomes before any request comes.
    const none = model.source.trigger === "management" && spec.instances === 0;
    const loaded = none ? { ...spec, instances: 1 } : spec;
    model.report = await this.loaded(model, loaded);
    for (const warning of loadWarnings(spec, model.report)) this.with.log.warn(warning, { model: spec.name });
    model.reach("publish");
    try {
      model.abort.signal.throwIfAborted();
      await this.with.announce.handler(spec.name, spec.version, spec.handler);
      model.abort.signal.throwIfAborted();
      this.publish(model);
    } catch (error) {
      this.with.engine.discard(model.id);
      await this.backOut(spec);
      throw error;
    }
    const { maxWorkers: max } = spec;
    const own = max === undefined ? undefined : { min: spec.instances, max };
    await this.published(model, none ? { min: 0, max: 0 } : (model.workers ?? own));
    // The one that it was loaded with is not shown as a worker of a model that has none.
    if (none) await this.with.instances.settled(model, this.with.config.unloadTimeoutMs);
  }

  /** Cancelled with the model, and when it takes longer than it may; waiting for its turn does not count. */
  private async loaded(model: Tracked, spec: ModelSpec): Promise<LoadReport> {
    const { engine } = this.with;
    const { startupTimeoutMs = 0 } = spec;
    let timer: NodeJS.Timeout | undefined;
    const late = new AbortController();
    const cancel = (): void => engine.cancelLoad(model.id);
    const tooLate = (): void => {
      late.abort();
      cancel();
    };
    model.abort.signal.addEventListener("abort", cancel, { once: true });
    try {
      return await engine.load(spec, model.id, (phase) => {
        model.reach(phase);
        if (startupTimeoutMs > 0) timer ??= setTimeout(tooLate, startupTimeoutMs);
      });
    } catch (error) {
      const words = `${spec.source}: not loaded within ${startupTimeoutMs / 1000} s (startupTimeout, --probe-timeout)`;
      throw late.signal.aborted ? new ServerError("invalid_model", words, { cause: error }) : withOperatorWords(error);
    } finally {
      clearTimeout(timer);
      model.abort.signal.removeEventListener("abort", cancel);
    }
  }

  /** Beside the others, or in one step in place of the version that it replaces. */
  private publish(model: Tracked): void {
    const old = this.with.table.twinsOf(model, model.name, model.version).find((each) => each.state === "ready");
    if (old === undefined) {
      this.with.engine.publish(model.id);
      return;
    }
    void this.with.engine
      .replace(model.id, this.with.config.drainTimeoutMs)
      .then((drained) => this.with.log.info("model replaced", { model: old.name, version: old.version, drained }));
    this.with.forget(old.id);
    this.with.table.delete(old.id);
  }

  /** The threads know the handler of a version that is not routed: none, or the one that still is. */
  private async backOut({ name, version }: ModelSpec): Promise<void> {
    const serving = this.with.table.versionsOf(name).find((each) => each.version === version && each.state === "ready");
    if (serving?.spec) await this.with.announce.handler(name, version, serving.spec.handler);
    else await this.with.announce.withdraw(name, version);
  }

  private async published(model: Tracked, workers: Workers | undefined): Promise<void> {
    const { name, version, spec } = model;
    model.workers = workers;
    if (workers !== undefined) this.with.instances.resize(model, workers);
    model.started(this.with.instances.figures(model).instances);
    const { defaultVersion } = settingsOf(this.with.config.modelSettings, name, version);
    const meant = model.source.isDefault ?? defaultVersion;
    if (meant === true && model.source.trigger === "startup") this.with.defaults.choose(name, version);
    if (!this.with.defaults.routed.has(name) && spec !== undefined) {
      model.note("default version");
      this.with.defaults.route(name, version, this.with.announce.defaultVersion(name, version));
    }
    await this.with.defaults.announced(name);
  }
}
