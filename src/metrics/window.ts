/**
 * What happened between two looks at the counters: TorchServe's gauges of time, which hold one request's value there,
 * are the mean of the last interval that had requests here. Main thread; the predict path knows nothing of it.
 */

import type { Histogram, ModelStats } from "../engine/engine.js";
import type { GpuSample, GpuWatch } from "./gpus.js";
import { type CpuTimes, readCpuTimes, readSystem, type SystemSample } from "./system.js";

/** Of all versions of a name; means of the last interval that had requests, in milliseconds. */
export interface ModelTimes {
  readonly name: string;
  /** One run of a batch. */
  readonly predictionMs: number;
  /** From the request's last byte to its answer. */
  readonly handlerMs: number;
}

export interface Window {
  readonly system: SystemSample | undefined;
  /** As the driver last said. Empty where there are none. */
  readonly gpus: readonly GpuSample[];
  /** Undefined before the first request. */
  readonly queueMs: number | undefined;
  /** What a request takes beside waiting and the model's run. */
  readonly threadMs: number | undefined;
  readonly models: readonly ModelTimes[];
}

interface Totals {
  readonly requests: number;
  readonly requestSeconds: number;
  readonly queueSeconds: number;
  readonly batches: number;
  readonly batchSeconds: number;
}

export interface WindowsOptions {
  /** For the looks of its own. */
  readonly stats: () => readonly ModelStats[];
  readonly intervalMs: number;
  /** Whether to look at the machine too. */
  readonly system: boolean;
  /** Asked about the GPUs too, where `system` is set. */
  readonly gpus?: GpuWatch;
  /** After each look but the first, with the counters of that moment. */
  readonly onWindow?: (window: Window) => void;
}

/** Looks at once and then every `intervalMs`, until closed. */
export class Windows {
  current: Window = { system: undefined, gpus: [], queueMs: undefined, threadMs: undefined, models: [] };
  private readonly options: WindowsOptions;
  private readonly timer: NodeJS.Timeout;
  private totals = new Map<string, Totals>();
  private times = new Map<string, ModelTimes>();
  private cpu: CpuTimes = readCpuTimes();

  constructor(options: WindowsOptions) {
    this.options = options;
    this.look();
    this.timer = setInterval(() => {
      this.look();
      options.onWindow?.(this.current);
    }, options.intervalMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /**
   * The last interval's, by `stats`, of now: until the first one has passed, what a model that has answered did so far, and
   * nothing of models that are gone.
   */
  latest(stats: readonly ModelStats[]): Window {
    const answered = stats.filter((each) => countOf(each.requestSeconds) > 0);
    if (answered.some(({ name }) => !this.times.has(name))) this.lookAtModels(stats);
    const names = new Set(stats.map(({ name }) => name));
    return { ...this.current, models: this.current.models.filter(({ name }) => names.has(name)) };
  }

  /** Exposed for tests: one look. */
  look(): void {
    this.lookAtModels(this.options.stats());
    this.current = { ...this.current, system: this.lookAtMachine(), gpus: this.lookAtGpus() };
  }

  /** Ends the interval of the models' times. */
  private lookAtModels(now: readonly ModelStats[]): void {
    const totals = new Map<string, Totals>();
    const changes = new Map<string, Totals>();
    const sum = { requests: 0, queue: 0, thread: 0 };
    for (const stats of now) {
      const key = `${stats.name}/${stats.version}`;
      const ofNow = totalsOf(stats);
      const change = minus(ofNow, this.totals.get(key));
      totals.set(key, ofNow);
      changes.set(stats.name, plus(change, changes.get(stats.name)));
      sum.requests += change.requests;
      sum.queue += change.queueSeconds;
      sum.thread += threadSeconds(change);
    }
    this.totals = totals;
    this.times = new Map(
      [...changes].flatMap(([name, change]) => {
        const last = change.requests > 0 ? modelTimes(name, change) : this.times.get(name);
        return last === undefined ? [] : [[name, last]];
      }),
    );
    const each = (seconds: number, before: number | undefined): number | undefined =>
      sum.requests > 0 ? (1000 * seconds) / sum.requests : before;
    this.current = {
      ...this.current,
      queueMs: each(sum.queue, this.current.queueMs),
      threadMs: each(sum.thread, this.current.threadMs),
      models: [...this.times.values()],
    };
  }

  /** The driver answers later than a look may take: its answer then goes into the window that is there. */
  private lookAtGpus(): readonly GpuSample[] {
    const { gpus, system } = this.options;
    if (!system || gpus === undefined) return [];
    void gpus.look().then(() => {
      this.current = { ...this.current, gpus: gpus.current };
    });
    return gpus.current;
  }

  private lookAtMachine(): SystemSample | undefined {
    if (!this.options.system) return undefined;
    const now = readCpuTimes();
    const sample = readSystem(this.cpu, now);
    this.cpu = now;
    return sample;
  }
}

function totalsOf(stats: ModelStats): Totals {
  return {
    requests: countOf(stats.requestSeconds),
    requestSeconds: stats.requestSeconds.sum,
    queueSeconds: stats.queueSeconds.sum,
    batches: countOf(stats.inferenceSeconds),
    batchSeconds: stats.inferenceSeconds.sum,
  };
}

function countOf(histogram: Histogram): number {
  return histogram.counts.reduce((sum, count) => sum + count, 0);
}

/** A version that was loaded anew starts from zero: its counters are below the last ones. */
function minus(now: Totals, before: Totals | undefined): Totals {
  if (before === undefined || now.requests < before.requests) return now;
  return {
    requests: now.requests - before.requests,
    requestSeconds: now.requestSeconds - before.requestSeconds,
    queueSeconds: now.queueSeconds - before.queueSeconds,
    batches: now.batches - before.batches,
    batchSeconds: now.batchSeconds - before.batchSeconds,
  };
}

function plus(a: Totals, b: Totals | undefined): Totals {
  if (b === undefined) return a;
  return {
    requests: a.requests + b.requests,
    requestSeconds: a.requestSeconds + b.requestSeconds,
    queueSeconds: a.queueSeconds + b.queueSeconds,
    batches: a.batches + b.batches,
    batchSeconds: a.batchSeconds + b.batchSeconds,
  };
}

/** A batch's run is every one of its requests' run. */
function threadSeconds({ requests, requestSeconds, queueSeconds, batches, batchSeconds }: Totals): number {
  const run = batches > 0 ? (batchSeconds / batches) * requests : 0;
  return Math.max(0, requestSeconds - queueSeconds - run);
}

function modelTimes(name: string, change: Totals): ModelTimes {
  return {
    name,
    predictionMs: change.batches > 0 ? (1000 * change.batchSeconds) / change.batches : 0,
    handlerMs: (1000 * (change.requestSeconds - change.queueSeconds)) / change.requests,
  };
}
