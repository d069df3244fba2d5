/**
 * Instances of the served versions follow their load between the bounds that each has. Growing is quick, as requests wait;
 * shrinking is slow. The engine's `resize` cuts no batch, so neither loses a request. Main thread.
 */
import type { Engine } from "../engine/engine.js";
import type { Log } from "../telemetry/log.js";
import type { Instances } from "./instances.js";
import type { ModelTable } from "./table.js";
import type { Tracked } from "./tracked.js";
import { nextInstances, type Load, type LoadMemory } from "./scale-policy.js";

export interface AutoscaleOptions {
  readonly engine: Engine;
  readonly table: ModelTable;
  readonly instances: Instances;
  readonly log: Log;
}

/** How often the load is looked at. */
export const lookMs = 250;

export class Autoscaler {
  private readonly options: AutoscaleOptions;
  private readonly memory = new WeakMap<Tracked, LoadMemory>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: AutoscaleOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), lookMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  look(): void {
    const { engine, table } = this.options;
    const models = table.all().filter((model) => model.state === "ready" && isElastic(model));
    if (models.length === 0) return;
    const loads = new Map(engine.stats().map((each) => [`${each.name}/${each.version}`, each]));
    for (const model of models) {
      const load = loads.get(`${model.name}/${model.version}`);
      if (load !== undefined) this.follow(model, load);
    }
  }

  private follow(model: Tracked, load: Load): void {
    const { workers } = model;
    if (workers === undefined) return;
    const { instances, log } = this.options;
    const { next, memory } = nextInstances(load, workers, this.memory.get(model));
    this.memory.set(model, memory);
    if (next === load.instances) return;
    instances.resize(model, { min: next, max: next });
    const reached = instances.figures(model).instances;
    const { name, version } = model;
    model.note(`instances follow the load: ${load.instances} to ${reached}`);
    log.info("instances follow the load", { model: name, version, from: load.instances, to: reached });
    // A model that keeps state, or a machine without memory for more: asking again every time would change nothing.
    if (reached < next) model.workers = { min: Math.min(workers.min, reached), max: reached };
  }
}

/** 0 instances are an operator's word, not a load's. */
function isElastic({ workers }: Tracked): boolean {
  return workers !== undefined && workers.min >= 1 && workers.max > workers.min;
}
