/**
 * Brings what is loaded in line with what is wanted. policy.ts decides, this file does: prepare → load → announce →
 * publish, and the way back. A failed load touches nothing else. Main thread only.
 *
 *   const models = createModelManager({ engine, announce, config, log });
 *   await models.start();                       // StartError when a model that has to load does not
 *   await models.register({ url: "new.mar", workers: 1, wait: true }); // ServerError when it does not load
 *   await models.stop();
 */
import type { ServeConfig } from "../config/serve-config.js";
import type { Engine } from "../engine/engine.js";
import { shownUrl } from "../download/url.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import type { ModelSpec } from "../types.js";
import { Autoscaler } from "./autoscale.js";
import { Defaults } from "./defaults.js";
import type {
  Announce,
  Health,
  LoadCount,
  ModelAdmin,
  ModelEntry,
  RegisterRequest,
  Scaled,
  Workers,
} from "./models.js";
import { StoreFollower } from "./follow.js";
import { Instances } from "./instances.js";
import { LoadCounts } from "./load-counts.js";
import { healthOf, nextSteps, type Step } from "./policy.js";
import { builtProbe, createPrepare, type Prepare } from "./prepare.js";
import { Publisher } from "./publish.js";
import { followMs, listFollowed, listSources } from "./sources.js";
import { breakingChanges, schemaOf } from "./schema.js";
import { Snapshots } from "./snapshots.js";
import { createStore, withinStore, type ModelStore } from "./store.js";
import { StorePoll } from "./store-poll.js";
import { ModelTable } from "./table.js";
import { cancelledError, readyFields, Tracked, type Wanted } from "./tracked.js";

export interface ManagerOptions {
  readonly engine: Engine;
  readonly announce: Announce;
  readonly config: ServeConfig;
  readonly log: Log;
  /** For tests: how a source becomes a spec. */
  readonly prepare?: Prepare;
  /** For tests: where registrations come from. */
  readonly store?: ModelStore;
}

/** Registrations under way at once; one more is refused with busy. */
export const maxRegistrations = 64;

export interface ModelManager extends ModelAdmin {
  /** Begins to load what the configuration names: `list` has it from then on. Rejects with StartError when that is not there. */
  begin(): Promise<void>;
  /** Begins where that has not been asked for, and waits. Rejects with StartError, or ServerError cancelled after `stop`. */
  start(): Promise<void>;
  /** Cancels loads under way and waits for their end; nothing changes any more. Models that serve go on serving. */
  stop(): Promise<void>;
}

export function createModelManager(options: ManagerOptions): ModelManager {
  return new Manager(options);
}

class Manager implements ModelManager {
  private readonly engine: Engine;
  private readonly announce: Announce;
  private readonly config: ServeConfig;
  private readonly log: Log;
  private readonly prepare: Prepare;
  private readonly store: ModelStore;
  private readonly looks: ReturnType<typeof withinStore>;
  /** What is wanted, in order; every one of them is tracked, but not every tracked one is wanted. */
  private readonly desired = new Map<string, Wanted>();
  private readonly defaults = new Defaults();
  private readonly table = new ModelTable(this.defaults);
  private readonly instances: Instances;
  /** Keeps what serves for the next start, where that is wanted. */
  private readonly snapshots: Snapshots | undefined;
  /** Where the model store is followed. */
  private readonly poll: StorePoll | undefined;
  private readonly publisher: Publisher;
  private readonly autoscaler: Autoscaler;
  private readonly counts = new LoadCounts();
  private nextId = 1;
  private begun: Promise<readonly Tracked[]> | undefined;
  private registering = 0;
  private stopped = false;
  /** Whether it is known what the configuration names: until then nothing there does not mean nothing wanted. */
  private listed = false;

  constructor(options: ManagerOptions) {
    const { config, log, engine, announce } = options;
    this.engine = engine;
    this.instances = new Instances(engine);
    this.announce = announce;
    this.config = config;
    this.log = log;
    const { snapshotFolder: folder, modelStore } = config;
    this.snapshots = config.configSnapshots ? new Snapshots({ folder, modelStore, log }) : undefined;
    const { table, defaults, instances } = this;
    const forget = (id: string): void => void this.desired.delete(id);
    this.publisher = new Publisher({ engine, announce, table, defaults, instances, config, log, forget });
    this.autoscaler = new Autoscaler({ engine, table, instances, log });
    const { within } = (this.looks = withinStore(config));
    this.poll = followMs(config) > 0 ? this.follow() : undefined;
    this.store = options.store ?? createStore(config, within);
    const facts = { libtorch: engine.info().libtorch, gpus: engine.gpus(), env: process.env };
    this.prepare = options.prepare ?? createPrepare({ config, log, ...facts, within, probeProgram: builtProbe });
  }

  async begin(): Promise<void> {
    await (this.begun ??= this.beginLoads());
  }

  private async beginLoads(): Promise<readonly Tracked[]> {
    await this.poll?.begin();
    const sources = await listSources(this.config, this.looks.within);
    this.listed = true;
    const ids = sources.map((source) => this.want({ ...source, trigger: "startup" }));
    this.reconcile();
    return ids.map((id) => this.table.find(id));
  }

  async start(): Promise<void> {
    const models = await (this.begun ??= this.beginLoads());
    const loads = models.map((model) => model.loaded());
    try {
      await Promise.all(loads);
    } catch (error) {
      await Promise.allSettled([this.stop(), ...loads]);
      throw error;
    }
    if (this.stopped) throw new ServerError("cancelled", "the start was cancelled");
    this.snapshots?.note("startup", this.list());
    await this.snapshots?.written();
    this.poll?.start();
    this.autoscaler.start();
  }

  private follow(): StorePoll {
    const { config, log, table, defaults, looks } = this;
    const load = (wanted: Wanted): Tracked => {
      const id = this.want(wanted);
      this.reconcile();
      return table.find(id);
    };
    const { within } = looks;
    const steps = { load, drop: (id: string) => this.drop(id), reconcile: () => this.reconcile() };
    const follower = new StoreFollower({ table, defaults, within, watch: config.watch, ...steps });
    return new StorePoll({ follower, list: () => listFollowed(config), log, intervalMs: followMs(config), within });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.autoscaler.stop();
    this.looks.close();
    const loading = this.table.all().filter((model) => model.state === "loading");
    for (const model of loading) model.abort.abort();
    await Promise.all(loading.map((model) => model.settled));
    await this.poll?.stop();
    await this.snapshots?.end(this.list());
  }

  async register(request: RegisterRequest): Promise<ModelEntry> {
    if (this.stopped) throw new ServerError("draining", "the server is shutting down");
    if (this.registering >= maxRegistrations) {
      throw new ServerError("busy", `${maxRegistrations} registrations are under way; try again when one has ended`);
    }
    this.registering++;
    try {
      return await this.registerOne(request);
    } finally {
      this.registering--;
    }
  }

  private async registerOne(request: RegisterRequest): Promise<ModelEntry> {
    const path = await this.store.locate(request.url);
    const named = request.name === undefined ? {} : { name: request.name };
    const id = this.want({ path, url: request.url, ...named, required: false, trigger: "management", request });
    this.reconcile();
    const model = this.table.find(id);
    await (request.wait ? model.settled : model.known);
    if (model.state === "failed") this.drop(id);
    await this.visible();
    if (model.state === "failed") throw model.error;
    return this.table.entry(model);
  }

  async scale(name: string, version: string | undefined, workers: Workers, wait: boolean): Promise<Scaled> {
    const model = this.table.version(name, version);
    if (wait) await model.settled;
    if (model.state === "failed") {
      const words = `Failed to start workers for model ${name} version: ${model.version}`;
      throw new ServerError("no_workers", `${words}: ${model.reason ?? "it did not load"}`);
    }
    model.scale(workers);
    if (model.state === "ready") this.instances.resize(model, workers);
    const { instances } = this.instances.figures(model);
    // A model that may run one batch only keeps to one instance, whatever was asked for.
    if (model.state === "ready" && instances < workers.min) model.workers = { min: instances, max: instances };
    this.changed();
    const settled = await this.instances.settled(model, wait ? this.config.unloadTimeoutMs : 0);
    await this.visible();
    return { entry: this.table.entry(model), instances, settled };
  }

  async setDefault(name: string, version: string, force = false): Promise<readonly string[]> {
    const model = this.table.version(name, version, " ");
    if (model.state !== "ready")
      throw new ServerError("not_ready", `Model ${name} version ${version} is ${model.state}`);
    const present = this.get(name).find(({ isDefault }) => isDefault);
    const differences = breakingChanges(present && schemaOf(present), schemaOf(model));
    if (differences.length > 0) {
      const words = `${name} ${version} is not compatible with the default version`;
      if (!force) throw new ServerError("incompatible", `${words}: ${differences.join("; ")} (force=true does it)`);
      this.log.warn(words, { model: name, version, differences });
    }
    this.defaults.choose(name, version);
    this.reconcile();
    await this.defaults.announced(name);
    this.changed();
    await this.visible();
    return differences;
  }

  async rollback(name: string): Promise<{ readonly from: string; readonly to: string }> {
    const { version: from } = this.table.version(name, undefined);
    const ready = this.table.versionsOf(name).filter((model) => model.state === "ready");
    const versions = ready.map((model) => model.version);
    const to = this.defaults.previous(name, versions);
    if (to === undefined) {
      throw new ServerError("conflict", `Model ${name} has no earlier default version that is still registered`);
    }
    this.defaults.goBack(name, to);
    this.reconcile();
    await this.defaults.announced(name);
    this.changed();
    await this.visible();
    this.log.info("default version rolled back", { model: name, from, to });
    return { from, to };
  }

  async unregister(name: string, version: string | undefined): Promise<boolean> {
    const model = this.table.version(name, version);
    const isDefault = this.defaults.routed.get(name) === model.version;
    if (isDefault && this.table.siblingsOf(model).length > 0) {
      throw new ServerError("default_version", `Cannot remove default version for model ${name}`);
    }
    const ready = model.state === "ready";
    if (ready) this.desired.delete(model.id);
    else this.drop(model.id);
    const gone = ready ? await this.unload(model, this.config.unloadTimeoutMs) : await model.settled.then(() => true);
    await this.visible();
    return gone;
  }

  list(): readonly ModelEntry[] {
    return this.table.all().map((model) => this.table.entry(model));
  }

  get(name: string): readonly ModelEntry[] {
    return this.table.versionsOf(name).map((model) => this.table.entry(model));
  }

  health(): Health {
    if (!this.listed) return "unready";
    // What comes into a followed store besides says nothing of what serves.
    const counted = this.table.all().filter(({ source, state }) => source.trigger !== "store" || state === "ready");
    return healthOf(counted.map((model) => (this.broken(model) ? "failed" : model.state)));
  }

  loadCounts(): readonly LoadCount[] {
    return this.counts.all();
  }

  /** Where snapshots are kept, the next one is due. */
  private readonly changed = (): void => this.snapshots?.note("snapshot", this.list());

  /** Resolves when all HTTP threads see what changed, and the next start would. */
  private async visible(): Promise<void> {
    await Promise.all([this.announce.visible(), this.snapshots?.written()]);
  }

  private broken(model: Tracked): boolean {
    const { spec, state } = model;
    return state === "ready" && (spec?.kind === "python" || spec?.gpu !== undefined) && this.instances.broken(model);
  }

  /** It is wanted no more: cancelled, unloaded or forgotten. */
  private drop(id: string): void {
    this.desired.delete(id);
    this.reconcile();
  }

  private want(wanted: Wanted): string {
    const id = `load-${this.nextId++}`;
    this.desired.set(id, wanted);
    return id;
  }

  /** Starts whatever the policy says. Each step changes what is tracked before it returns, so none is started twice. */
  private reconcile(): void {
    const { chosen: chosenDefaults, routed: routedDefaults } = this.defaults;
    const desired = [...this.desired.keys()].map((id) => ({ id }));
    const actual = this.table.all().map((model) => {
      const { id, state, name, version } = model;
      return { id, state, version, name: model.opened ? name : undefined };
    });
    for (const step of nextSteps({ desired, actual, chosenDefaults, routedDefaults })) this.perform(step);
  }

  private perform(step: Step): void {
    if (step.kind === "default") {
      this.engine.setDefault(step.name, step.version);
      this.table.version(step.name, step.version).note("default version");
      this.defaults.route(step.name, step.version, this.announce.defaultVersion(step.name, step.version));
      return;
    }
    const { id } = step;
    if (step.kind === "load") void this.load(id);
    else if (step.kind === "cancel") this.table.find(id).abort.abort();
    else if (step.kind === "forget") this.table.delete(id);
    else void this.unload(this.table.find(id), this.config.drainTimeoutMs);
  }

  private async load(id: string): Promise<void> {
    const source = this.desired.get(id);
    if (!source) return;
    const said = source.request ?? source.said;
    const model = new Tracked(id, source);
    this.table.add(model);
    try {
      const spec = await this.prepare({
        ...source,
        ...model.preparing,
        onSpec: (opened) => this.opened(model, opened),
        ...(said === undefined ? {} : { said }),
      });
      await this.publisher.load(model, spec);
      model.claims.keep();
      model.loadSeconds = model.seconds();
      model.enter("ready");
      this.log.info("model ready", readyFields(model));
    } catch (error) {
      await model.claims.drop(error);
      this.failed(model, error);
    }
    if (!model.abort.signal.aborted) this.counts.add(model.source.trigger, model.state === "ready");
    this.reconcile();
    this.changed();
    model.settle();
  }

  /** The archive says who it is; a version that is there already is refused before anything is loaded. */
  private opened(model: Tracked, spec: ModelSpec): void {
    const twins = this.table.twinsOf(model, spec.name, spec.version);
    model.name = spec.name;
    model.version = spec.version;
    model.spec = spec;
    const twin = twins.find((other) => other.state !== "failed" && model.source.replaces?.has(other.id) !== true);
    if (twin) {
      throw new ServerError("conflict", `Model version ${spec.version} is already registered for model ${spec.name}`);
    }
    // A version that failed gives way to the next try.
    for (const { id, state } of twins) if (state === "failed") this.desired.delete(id);
    model.open(spec);
    const { source, sha256 } = spec;
    this.log.info("model opened", { model: spec.name, version: spec.version, source, sha256 });
  }

  private failed(model: Tracked, error: unknown): void {
    const cancelled = model.abort.signal.aborted;
    model.fail(cancelled ? cancelledError(model, this.stopped, error) : error);
    if (cancelled) return;
    const { name, version, source, reason } = model;
    this.log.error("model failed", { model: name, version, source: shownUrl(source.path), reason });
  }

  private async unload(model: Tracked, timeoutMs: number): Promise<boolean> {
    model.enter("unloading");
    const { name, version } = model;
    this.defaults.forget(name, version);
    const removed = this.engine.remove(name, version, timeoutMs);
    await this.announce.withdraw(name, version);
    const gone = await removed;
    this.table.delete(model.id);
    this.reconcile();
    this.changed();
    this.log.info("model removed", { model: name, version, drained: gone });
    return gone;
  }
}
