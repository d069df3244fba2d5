/**
 * The engine, and beside it the threads of handlers in TypeScript or JavaScript: a model with such a handler is loaded when
 * both its artifact and its handler are. What has none is passed on. Main thread only, as all of it but `openChannel` is.
 *
 *   const engine = withScripts(openEngine(options), { log, env, engineModule });
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { BatchList } from "../engine/batch-list.js";
import { Beside } from "../engine/beside.js";
import type { Engine, LoadProgress, ModelStats, TakenBatches } from "../engine/engine.js";
import type { Log } from "../telemetry/log.js";
import type { LoadReport, ModelSpec } from "../types.js";
import { WithAlone } from "./alone.js";
import { compileHandler } from "./compile.js";
import { Keeper } from "./keeper.js";
import type { FromDesk, ToDesk } from "./messages.js";

export interface ScriptOptions {
  readonly log: Log;
  /** All that handlers see of the server's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** As above, of those in processes of their own. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** URL of the module whose `openEngine` gives the same engine on another thread. */
  readonly engineModule: string;
  /** Bounds of the times that are counted, in seconds. */
  readonly latencyBuckets: readonly number[];
  /** Whether somebody takes batches. */
  readonly logBatches?: boolean;
}

export interface ScriptEngine extends Engine {
  openScriptDoor(): MessagePort;
  /** Ends all handlers. */
  close(): Promise<void>;
}

export function withScripts(engine: Engine & { close(): Promise<void> }, options: ScriptOptions): ScriptEngine {
  return new WithScripts(new WithAlone(engine), options);
}

const defaultStartupMs = 120_000;
const rememberedKeys = 256;
const keyOf = (name: string, version: string): string => `${name}/${version}`;

class WithScripts extends Beside<Engine & { close(): Promise<void> }> implements ScriptEngine {
  private readonly options: ScriptOptions;
  /** By load id: loading, or loaded and not published; the model that it is, for the others too. */
  private readonly loads = new Map<string, { readonly model: string; keeper: Keeper | undefined }>();
  /** By "name/version". */
  private readonly served = new Map<string, Keeper>();
  /** By the handler's key: all of the above. */
  private readonly keepers = new Map<string, Keeper>();
  /** Keys of handlers that were let go lately → "name/version"; at most `rememberedKeys`. */
  private readonly gone = new Map<string, string>();
  private readonly ports = new Set<MessagePort>();
  private readonly batches: BatchList;

  constructor(inner: Engine & { close(): Promise<void> }, options: ScriptOptions) {
    super(inner);
    this.options = options;
    this.batches = new BatchList(options.logBatches === true);
  }

  override async load(spec: ModelSpec, loadId: string, onProgress?: LoadProgress): Promise<LoadReport> {
    const load: { readonly model: string; keeper: Keeper | undefined } = {
      model: keyOf(spec.name, spec.version),
      keeper: undefined,
    };
    this.loads.set(loadId, load);
    const { script } = spec.handler;
    if (script === undefined) return this.inner.load(spec, loadId, onProgress);
    try {
      const code = await compileHandler(script.folder, script.file, spec.source);
      const report = await this.inner.load(spec, loadId, onProgress);
      load.keeper = this.keeperOf(spec, code);
      onProgress?.("handler");
      try {
        await load.keeper.start();
      } catch (error) {
        this.inner.discard(loadId);
        throw error;
      }
      return report;
    } catch (error) {
      this.forget(load.keeper);
      this.loads.delete(loadId);
      throw error;
    }
  }

  override cancelLoad(loadId: string): void {
    const keeper = this.loads.get(loadId)?.keeper;
    if (keeper === undefined) this.inner.cancelLoad(loadId);
    else void keeper.close();
  }

  override discard(loadId: string): void {
    this.forget(this.loads.get(loadId)?.keeper);
    this.loads.delete(loadId);
    this.inner.discard(loadId);
  }

  override publish(loadId: string): void {
    const load = this.loads.get(loadId);
    this.loads.delete(loadId);
    this.inner.publish(loadId);
    if (load?.keeper !== undefined) this.served.set(load.model, load.keeper);
  }

  override async remove(name: string, version: string, timeoutMs: number): Promise<boolean> {
    const key = keyOf(name, version);
    const keeper = this.served.get(key);
    const end = performance.now() + timeoutMs;
    // What its hooks have begun needs the model yet.
    const clean = await this.drain(keeper, key, timeoutMs);
    if (this.served.get(key) === keeper) this.served.delete(key);
    return (await this.inner.remove(name, version, Math.max(0, end - performance.now()))) && clean;
  }

  override async replace(loadId: string, timeoutMs: number): Promise<boolean> {
    const load = this.loads.get(loadId);
    const old = load && this.served.get(load.model);
    this.loads.delete(loadId);
    const replaced = this.inner.replace(loadId, timeoutMs);
    if (load?.keeper !== undefined) this.served.set(load.model, load.keeper);
    else if (load !== undefined) this.served.delete(load.model);
    const clean = await this.drain(old, load?.model ?? "", timeoutMs);
    return (await replaced) && clean;
  }

  override resize(name: string, version: string, instances: number): void {
    this.inner.resize(name, version, instances);
    const keeper = this.served.get(keyOf(name, version));
    if (keeper?.alone === true) keeper.takes(instances > 0);
  }

  override stats(): readonly ModelStats[] {
    const stats = this.inner.stats();
    if (this.served.size === 0) return stats;
    return stats.map((each) => {
      const keeper = this.served.get(keyOf(each.name, each.version));
      if (keeper === undefined) return each;
      const { counts, values, restarts, alone, requests, open: inFlight } = keeper;
      const counted = alone ? { ...requests.shown, inFlight } : {};
      return { ...each, ...counted, handler: { counts: [...counts], values: [...values], restarts } };
    });
  }

  override takeBatches(): TakenBatches {
    return this.batches.take(this.inner.takeBatches?.());
  }

  openScriptDoor(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", ({ key }: ToDesk) => {
      // Under the key that was asked for: the keeper may be the next one's.
      const say = (answer: FromDesk): void => {
        port1.postMessage({ ...answer, key } satisfies FromDesk, "port" in answer ? [answer.port] : []);
      };
      // One whose handler was replaced since it came in is the new one's.
      const model = this.gone.get(key);
      const keeper = model === undefined ? this.keepers.get(key) : this.served.get(model);
      if (keeper === undefined) say({ key, code: "version_not_found", message: "The handler's model is not served." });
      else keeper.connect(say);
    });
    port1.on("close", () => this.ports.delete(port1));
    port1.unref();
    this.ports.add(port1);
    return port2;
  }

  async close(): Promise<void> {
    await Promise.all([...this.keepers.values()].map((keeper) => keeper.close()));
    for (const port of this.ports) port.close();
    await this.inner.close();
  }

  private keeperOf(spec: ModelSpec, code: string): Keeper {
    const { name, version, signature, startupTimeoutMs = defaultStartupMs } = spec;
    const { script } = spec.handler;
    if (script === undefined) throw new Error("no handler to start");
    const { log, env, engineModule, latencyBuckets } = this.options;
    const { inputs, outputs } = signature;
    const setup = { engineModule, code, name, version, script, inputs, outputs, childEnv: this.options.childEnv };
    const keeper = new Keeper({ setup, log, env, startupTimeoutMs, latencyBuckets, batches: this.batches });
    this.keepers.set(script.key, keeper);
    return keeper;
  }

  /** Lets a handler go when it has answered what it has begun; the rest goes to the one that has its place by then. */
  private async drain(keeper: Keeper | undefined, model: string, timeoutMs: number): Promise<boolean> {
    if (keeper === undefined) return true;
    this.gone.set(keeper.key, model);
    const [oldest] = this.gone.keys();
    if (oldest !== undefined && this.gone.size > rememberedKeys) this.gone.delete(oldest);
    return keeper.drain(timeoutMs, () => void this.keepers.delete(keeper.key));
  }

  private forget(keeper: Keeper | undefined): void {
    if (keeper === undefined) return;
    this.keepers.delete(keeper.key);
    void keeper.close();
  }
}
