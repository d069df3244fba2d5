/**
 * Brings what is loaded in line with what is wanted. policy.ts decides, this file does: prepare → load → announce →
 * publish, and the way back. A failed load touches nothing else. Main thread only.
 *
 *   const models = createModelManager({ engine, announce, config, log });
 *   await models.start();                       // StartError when a model that has to load does not
 *   await models.register({ path: "new.mar" }); // ServerError when it does not load; nothing remains of it then
 *   await models.stop();
 */
import { settingsOf } from "../config/model-settings.js";
import type { ServeConfig } from "../config/serve-config.js";
import type { Engine } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import type { LoadReport, ModelSpec } from "../types.js";
import { stemOf } from "../archive/unpack.js";
import type { Announce, Health, LoadCount, ModelCatalog, ModelEntry, ModelState } from "./models.js";
import { healthOf, nextSteps, type Step } from "./policy.js";
import { builtProbe, createPrepare, type Prepare } from "./prepare.js";
import { listSources, type ModelSource } from "./sources.js";
import { StartError } from "./start-error.js";

export interface ManagerOptions {
  readonly engine: Engine;
  readonly announce: Announce;
  readonly config: ServeConfig;
  readonly log: Log;
  /** For tests: how a source becomes a spec. */
  readonly prepare?: Prepare;
}

export interface ModelManager extends ModelCatalog {
  /** Loads what the configuration names. Rejects with StartError, or ServerError cancelled after `stop`. */
  start(): Promise<void>;
  /** Cancels loads under way and waits for their end; nothing changes any more. Models that serve go on serving. */
  stop(): Promise<void>;
  /** Loads one more version. Rejects with ServerError (invalid_model, conflict, …) and leaves no trace then. */
  register(request: { readonly path: string; readonly name?: string }): Promise<ModelEntry>;
  /**
   * Takes a version (undefined: the default one) out of service at once. Resolves to whether its last request ended
   * within timeoutMs. Rejects with model_not_found, version_not_found, or conflict for a default that has siblings.
   */
  unregister(name: string, version: string | undefined, timeoutMs: number): Promise<boolean>;
  /** Requests without a version go there from now on. */
  setDefault(name: string, version: string): void;
}

/** TorchServe's version for models that name none. */
const unknownVersion = "1.0";

/** One model version on its way through the states. */
class Tracked {
  state: ModelState = "loading";
  name: string;
  version = unknownVersion;
  opened = false;
  spec: ModelSpec | undefined;
  report: LoadReport | undefined;
  reason: string | undefined;
  error: unknown;
  phase: string | undefined = "open";
  since = new Date().toISOString();
  loadSeconds = 0;
  readonly abort = new AbortController();
  readonly settled: Promise<void>;
  settle!: () => void;
  readonly begun = performance.now();
  readonly id: string;
  readonly source: ModelSource;
  readonly trigger: LoadCount["trigger"];

  constructor(id: string, source: ModelSource, trigger: LoadCount["trigger"]) {
    this.id = id;
    this.source = source;
    this.trigger = trigger;
    this.name = source.name ?? stemOf(source.path);
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }

  enter(state: ModelState): void {
    this.state = state;
    this.since = new Date().toISOString();
    this.phase = undefined;
  }

  seconds(): number {
    return this.state === "loading" ? (performance.now() - this.begun) / 1000 : this.loadSeconds;
  }
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
  /** What is wanted, in order; every one of them is tracked, but not every tracked one is wanted. */
  private readonly desired = new Map<string, ModelSource & { readonly trigger: LoadCount["trigger"] }>();
  private readonly tracked = new Map<string, Tracked>();
  private readonly chosenDefaults = new Map<string, string>();
  private readonly routedDefaults = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private nextId = 1;
  private stopped = false;
  /** Whether it is known what the configuration names: until then nothing there does not mean nothing wanted. */
  private listed = false;

  constructor(options: ManagerOptions) {
    this.engine = options.engine;
    this.announce = options.announce;
    this.config = options.config;
    this.log = options.log;
    const { config, log, engine } = options;
    const libtorch = engine.info().libtorch;
    this.prepare =
      options.prepare ?? createPrepare({ config, log, libtorch, env: process.env, probeProgram: builtProbe });
  }

  async start(): Promise<void> {
    const sources = await listSources(this.config);
    this.listed = true;
    const ids = sources.map((source) => this.want(source, "startup"));
    this.reconcile();
    const loads = ids.map(async (id) => {
      const model = this.find(id);
      await model.settled;
      if (model.state === "failed" && model.source.required && !this.stopped) {
        throw new StartError(model.source.path, model.reason ?? "does not load");
      }
    });
    try {
      await Promise.all(loads);
    } catch (error) {
      await Promise.allSettled([this.stop(), ...loads]);
      throw error;
    }
    if (this.stopped) throw new ServerError("cancelled", "the start was cancelled");
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const loading = [...this.tracked.values()].filter((model) => model.state === "loading");
    for (const model of loading) this.cancel(model);
    await Promise.all(loading.map((model) => model.settled));
  }

  async register(request: { readonly path: string; readonly name?: string }): Promise<ModelEntry> {
    if (this.stopped) throw new ServerError("draining", "the server is shutting down");
    const id = this.want({ ...request, required: false }, "management");
    this.reconcile();
    const model = this.find(id);
    await model.settled;
    if (model.state === "ready") return this.entry(model);
    this.desired.delete(id);
    this.reconcile();
    throw model.error;
  }

  async unregister(name: string, version: string | undefined, timeoutMs: number): Promise<boolean> {
    const versions = this.versionsOf(name);
    const wanted = version ?? this.routedDefaults.get(name) ?? versions[0]?.version ?? "";
    const model = this.version(name, wanted);
    const siblings = versions.filter((each) => each !== model && each.opened && each.state !== "unloading");
    if (this.routedDefaults.get(name) === wanted && siblings.some((each) => each.state !== "failed")) {
      throw new ServerError("conflict", `Cannot remove default version for model ${name}`);
    }
    this.desired.delete(model.id);
    if (model.state !== "ready") {
      this.reconcile();
      return model.settled.then(() => true);
    }
    return this.unload(model, timeoutMs);
  }

  setDefault(name: string, version: string): void {
    const model = this.version(name, version);
    if (model.state !== "ready")
      throw new ServerError("not_ready", `Model ${name} version ${version} is ${model.state}`);
    this.chosenDefaults.set(name, version);
    this.reconcile();
  }

  list(): readonly ModelEntry[] {
    return [...this.tracked.values()].map((model) => this.entry(model));
  }

  get(name: string): readonly ModelEntry[] {
    return this.versionsOf(name).map((model) => this.entry(model));
  }

  health(): Health {
    if (!this.listed) return "unready";
    return healthOf([...this.tracked.values()].map((model) => model.state));
  }

  loadCounts(): readonly LoadCount[] {
    return [...this.counts].map(([key, count]) => {
      const [trigger, outcome] = key.split(" ") as [LoadCount["trigger"], LoadCount["outcome"]];
      return { trigger, outcome, count };
    });
  }

  private want(source: ModelSource, trigger: LoadCount["trigger"]): string {
    const id = `load-${this.nextId++}`;
    this.desired.set(id, { ...source, trigger });
    return id;
  }

  /** Starts whatever the policy says. Each step changes what is tracked before it returns, so none is started twice. */
  private reconcile(): void {
    const { chosenDefaults, routedDefaults } = this;
    const desired = [...this.desired.keys()].map((id) => ({ id }));
    const actual = [...this.tracked.values()].map((model) => {
      const { id, state, name, version } = model;
      return { id, state, version, name: model.opened ? name : undefined };
    });
    for (const step of nextSteps({ desired, actual, chosenDefaults, routedDefaults })) this.perform(step);
  }

  private perform(step: Step): void {
    if (step.kind === "default") {
      this.engine.setDefault(step.name, step.version);
      this.routedDefaults.set(step.name, step.version);
      return;
    }
    const { id } = step;
    if (step.kind === "load") void this.load(id);
    else if (step.kind === "cancel") this.cancel(this.find(id));
    else if (step.kind === "forget") this.tracked.delete(id);
    else void this.unload(this.find(id), this.config.drainTimeoutMs);
  }

  private async load(id: string): Promise<void> {
    const source = this.desired.get(id);
    if (!source) return;
    const model = new Tracked(id, source, source.trigger);
    this.tracked.set(id, model);
    try {
      const spec = await this.prepare({
        ...source,
        signal: model.abort.signal,
        onSpec: (opened) => this.opened(model, opened),
      });
      await this.loadPrepared(model, spec);
      model.loadSeconds = model.seconds();
      model.enter("ready");
      this.log.info("model ready", readyFields(model));
    } catch (error) {
      this.failed(model, error);
    }
    const outcome = `${model.trigger} ${model.state === "ready" ? "ok" : "failed"}`;
    if (!model.abort.signal.aborted) this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
    this.reconcile();
    model.settle();
  }

  /** The archive says who it is; a version that is there already is refused before anything is loaded. */
  private opened(model: Tracked, spec: ModelSpec): void {
    const twin = [...this.tracked.values()].find(
      (other) =>
        other !== model &&
        other.opened &&
        other.name === spec.name &&
        other.version === spec.version &&
        other.state !== "failed",
    );
    model.name = spec.name;
    model.version = spec.version;
    model.spec = spec;
    if (twin) {
      const words = `Model version ${spec.version} is already registered for model ${spec.name}`;
      throw new ServerError("conflict", `${words} (from ${twin.source.path})`);
    }
    model.opened = true;
    model.phase = "probe";
    this.log.info("model opened", {
      model: spec.name,
      version: spec.version,
      source: spec.source,
      sha256: spec.sha256,
    });
  }

  private async loadPrepared(model: Tracked, spec: ModelSpec): Promise<void> {
    model.abort.signal.throwIfAborted();
    model.phase = "load";
    const cancel = (): void => this.engine.cancelLoad(model.id);
    model.abort.signal.addEventListener("abort", cancel, { once: true });
    model.report = await this.engine.load(spec, model.id, (phase) => (model.phase = phase));
    model.abort.signal.removeEventListener("abort", cancel);
    try {
      model.abort.signal.throwIfAborted();
      await this.announce(spec.name, spec.version, spec.handler);
      model.abort.signal.throwIfAborted();
      this.engine.publish(model.id);
    } catch (error) {
      this.engine.discard(model.id);
      throw error;
    }
    if (!this.routedDefaults.has(spec.name)) this.routedDefaults.set(spec.name, spec.version);
    const { defaultVersion } = settingsOf(this.config.modelSettings, spec.name, spec.version);
    if (defaultVersion === true && model.trigger === "startup") this.chosenDefaults.set(spec.name, spec.version);
  }

  private failed(model: Tracked, error: unknown): void {
    const cancelled = model.abort.signal.aborted;
    model.error = cancelled ? new ServerError("cancelled", "the load was cancelled", { cause: error }) : error;
    model.reason = model.error instanceof Error ? model.error.message : String(model.error);
    model.loadSeconds = model.seconds();
    model.enter("failed");
    if (cancelled) return;
    const { name, version, source, reason } = model;
    this.log.error("model failed", { model: name, version, source: source.path, reason });
  }

  private cancel(model: Tracked): void {
    model.abort.abort();
  }

  private async unload(model: Tracked, timeoutMs: number): Promise<boolean> {
    model.enter("unloading");
    const { name, version } = model;
    if (this.routedDefaults.get(name) === version) this.routedDefaults.delete(name);
    if (this.chosenDefaults.get(name) === version) this.chosenDefaults.delete(name);
    const gone = await this.engine.remove(name, version, timeoutMs);
    this.tracked.delete(model.id);
    this.log.info("model removed", { model: name, version, drained: gone });
    return gone;
  }

  private find(id: string): Tracked {
    const found = this.tracked.get(id);
    if (!found) throw new ServerError("internal", `no model is tracked as ${id}`);
    return found;
  }

  private versionsOf(name: string): readonly Tracked[] {
    return [...this.tracked.values()].filter((model) => model.name === name);
  }

  private version(name: string, version: string): Tracked {
    const versions = this.versionsOf(name).filter((model) => model.state !== "unloading");
    if (versions.length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    const same = versions.filter((model) => model.version === version);
    const found = same.find((model) => model.state === "ready") ?? same[0];
    if (!found)
      throw new ServerError("version_not_found", `Model version: ${version} does not exist for model: ${name}`);
    return found;
  }

  private entry(model: Tracked): ModelEntry {
    const { name, version, state, reason, phase, spec, report, since } = model;
    return {
      name,
      version,
      state,
      isDefault: state === "ready" && this.routedDefaults.get(name) === version,
      loadSeconds: model.seconds(),
      loadedAtStartup: model.trigger === "startup",
      since,
      ...(reason === undefined ? {} : { reason }),
      ...(phase === undefined ? {} : { phase }),
      ...(spec === undefined ? {} : { spec }),
      ...(report === undefined ? {} : { report }),
    };
  }
}

function readyFields(model: Tracked): Readonly<Record<string, unknown>> {
  const { name, version, report, loadSeconds } = model;
  return {
    model: name,
    version,
    seconds: Number(loadSeconds.toFixed(3)),
    form: report?.form,
    batchSize: report?.batchSize,
    executor: report?.executor,
  };
}
