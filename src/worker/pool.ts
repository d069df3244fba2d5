/**
 * The workers of one model version and the requests that wait for them. Queue, batches, deadlines and cancellation are
 * sconce's own; what a batch answers comes from TorchServe's worker. Main thread.
 *
 *   const pool = new WorkerPool(settings, events);
 *   await pool.start(2);
 *   pool.submit(createJob(request, sink, 120_000));
 */
import type { ModelStats } from "../engine/engine.js";
import type { ErrorCode } from "../errors.js";
import { Batch, type BatchFailure } from "./batch.js";
import { PoolCounters } from "./counters.js";
import { bytesOf, type Job } from "./job.js";
import { nextBatch, noWorkers } from "./policy.js";
import type { WorkerEnd } from "./process.js";
import { Slot, type SlotSettings } from "./slot.js";

export interface PoolSettings extends SlotSettings {
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  /** Requests that may wait. */
  readonly queueSize: number;
  readonly latencyBuckets: readonly number[];
}

export interface PoolEvents {
  readonly failed: (pid: number | undefined, end: WorkerEnd, retryMs: number | undefined) => void;
  readonly recovered: (pid: number | undefined) => void;
  /** A batch has ended, well or not: what it took beside its worker, and how long those waited that it answered. */
  readonly ran: (batch: { readonly outsideMs: number; readonly waitsMs: readonly number[] }) => void;
}

/** What describe shows of one worker. */
export interface WorkerView {
  readonly pid: number | undefined;
  readonly ready: boolean;
  /** ISO time at which its model was loaded. */
  readonly since: string;
}

export class WorkerPool {
  readonly counters: PoolCounters;
  private readonly settings: PoolSettings;
  private readonly events: PoolEvents;
  private readonly slots: Slot[] = [];
  private waiting: Job[] = [];
  private readonly running = new Map<Slot, Batch>();
  private wanted = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** The first worker has not loaded: what it says of its end is the load's reason. */
  private loading = true;

  constructor(settings: PoolSettings, events: PoolEvents) {
    this.settings = settings;
    this.events = events;
    this.counters = new PoolCounters(settings.latencyBuckets);
  }

  /** Resolves when all workers have loaded; rejects with the first one's reason, and then none is left. */
  async start(workers: number): Promise<void> {
    this.wanted = workers;
    // One alone: what is wrong with the model is said once, not by each.
    const first = this.add();
    try {
      await first.first;
    } catch (error) {
      await this.close();
      throw error;
    }
    this.loading = false;
    this.resize(this.wanted);
    await Promise.allSettled(this.slots.map((slot) => slot.first));
  }

  /** Workers from now on; those that are too many end after their batch, new ones take work once loaded. */
  resize(workers: number): void {
    if (this.closed) return;
    this.wanted = workers;
    const staying = this.slots.filter((slot) => slot.stays);
    // Idle ones go first, those that do not work at all before them.
    const order = { broken: 0, resting: 1, starting: 2, idle: 3, busy: 4, ended: 0 } as const;
    const goers = [...staying].sort((a, b) => order[a.state] - order[b.state]);
    for (const slot of goers.slice(0, Math.max(0, staying.length - workers))) slot.leave();
    for (let have = staying.length; have < workers; have++) this.add();
    if (workers === 0) this.refuseWaiting();
  }

  submit(job: Job): void {
    this.counters.came(bytesOf(job.request));
    if (this.closed || this.wanted === 0) this.end(job, { code: "not_ready", message: noWorkers });
    else if (this.waiting.length >= this.settings.queueSize) this.end(job, { code: "queue_full", message: full });
    else if (this.allBroken) this.end(job, { code: "not_ready", message: broken });
    else {
      this.waiting.push(job);
      this.pump();
    }
  }

  /** A batch that runs is not interrupted. */
  cancel(job: Job): void {
    if (job.cancelled) return;
    job.cancelled = true;
    const at = this.waiting.indexOf(job);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.count(job, "cancelled", 0);
  }

  /** What waits is answered first where workers are left; resolves when every worker has ended. */
  async close(timeoutMs = 0): Promise<boolean> {
    const end = performance.now() + timeoutMs;
    while (timeoutMs > 0 && this.busy && performance.now() < end) await pause(pollMs);
    const clean = !this.busy;
    this.closed = true;
    this.refuseWaiting();
    for (const slot of this.slots) {
      if (this.running.has(slot)) slot.kill("was unloaded while it worked");
      else slot.leave();
    }
    await Promise.all(this.slots.map((slot) => slot.ended));
    return clean;
  }

  get views(): readonly WorkerView[] {
    return this.slots.map((slot) => ({
      pid: slot.pid,
      ready: slot.stays && (slot.state === "idle" || slot.state === "busy"),
      since: slot.since.toISOString(),
    }));
  }

  get figures(): Pick<ModelStats, "queueDepth" | "inFlight" | "instances" | "lanes" | "starting" | "broken"> {
    const staying = this.slots.filter((slot) => slot.stays);
    const inState = (state: Slot["state"]): number => staying.filter((slot) => slot.state === state).length;
    return {
      queueDepth: this.waiting.length,
      inFlight: [...this.running.values()].reduce((sum, { jobs }) => sum + jobs.length, 0),
      instances: this.wanted,
      lanes: this.slots.length,
      starting: inState("starting"),
      broken: inState("broken"),
    };
  }

  private get busy(): boolean {
    return this.waiting.length > 0 || this.running.size > 0;
  }

  private get allBroken(): boolean {
    return this.slots.length > 0 && this.slots.every((slot) => slot.state === "broken");
  }

  private add(): Slot {
    const slot = new Slot(this.settings, {
      changed: (each) => this.changed(each),
      failed: (each, end, pid, retryMs) => this.failed(each, end, pid, retryMs),
      recovered: (each) => this.events.recovered(each.pid),
    });
    this.slots.push(slot);
    return slot;
  }

  private changed(slot: Slot): void {
    if (slot.state === "ended") this.slots.splice(this.slots.indexOf(slot), 1);
    if (this.allBroken) this.refuseWaiting(broken);
    if (slot.state === "idle") this.pump();
  }

  private failed(slot: Slot, end: WorkerEnd, pid: number | undefined, retryMs: number | undefined): void {
    if (!this.loading && !this.closed) this.events.failed(pid, end, retryMs);
    this.running.get(slot)?.fail(failureBy(end));
    this.running.delete(slot);
    this.pump();
  }

  /** Gives idle workers what waits. */
  private pump(): void {
    clearTimeout(this.timer);
    for (;;) {
      this.dropLate();
      const idle = this.slots.filter((slot) => slot.state === "idle" && slot.stays);
      const [slot] = idle;
      const step = nextBatch(this.view(idle.length));
      if (step.kind === "wait") this.timer = setTimeout(() => this.pump(), step.ms);
      if (step.kind !== "run" || slot === undefined) return;
      this.run(slot, this.take(step.size));
    }
  }

  private view(idleWorkers: number) {
    const { batchSize, maxBatchDelayMs } = this.settings;
    const [first] = this.waiting;
    const waitedMs = first === undefined ? 0 : performance.now() - first.arrived;
    const alone = first?.alone === true;
    const limits = alone ? { batchSize: 1, maxBatchDelayMs: 0 } : { batchSize, maxBatchDelayMs };
    return { waiting: this.waiting.length, idleWorkers, waitedMs, ...limits };
  }

  /** Up to `size` from the front; one that must be alone, or has another's id, ends the batch before it. */
  private take(size: number): readonly Job[] {
    const ids = new Set<string>();
    const fits = ({ alone, request }: Job, index: number): boolean => index === 0 || (!alone && !ids.has(request.id));
    const end = this.waiting.slice(0, size).findIndex((job, index) => {
      const ends = !fits(job, index);
      ids.add(job.request.id);
      return ends;
    });
    return this.waiting.splice(0, end < 0 ? size : Math.min(size, end));
  }

  private run(slot: Slot, jobs: readonly Job[]): void {
    const now = performance.now();
    for (const job of jobs) job.waitedMs = now - job.arrived;
    this.counters.ran(jobs.map((job) => job.waitedMs));
    const answered: Job[] = [];
    let outsideMs = 0;
    const batch = new Batch(jobs, {
      answered: (job, bytes) => {
        if (!job.cancelled) answered.push(job);
        this.count(job, job.cancelled ? "cancelled" : "ok", bytes);
      },
      failed: (left, failure) => this.batchFailed(jobs.length, left, failure),
    });
    this.running.set(slot, batch);
    slot.run(
      jobs.map((job) => job.request),
      (frame) => {
        const came = performance.now();
        const more = batch.frame(frame);
        const done = performance.now();
        outsideMs += done - came;
        if (!more) {
          this.counters.batchTook(done - now);
          this.running.delete(slot);
          const waitsMs = answered.map((job) => job.waitedMs);
          this.events.ran({ outsideMs, waitsMs });
        }
        return more;
      },
    );
    outsideMs += performance.now() - now;
  }

  /** Those that were not alone are run once more, alone, before all others: only the one at fault fails then. */
  private batchFailed(size: number, jobs: readonly Job[], failure: BatchFailure): void {
    const again = jobs.filter((job) => size > 1 && !this.closed && !job.begun && !job.cancelled);
    for (const job of jobs) {
      if (again.includes(job)) job.alone = true;
      else this.end(job, failure);
    }
    this.waiting.unshift(...again);
  }

  private dropLate(): void {
    const now = performance.now();
    const late = this.waiting.filter((job) => job.deadline <= now);
    if (late.length === 0) return;
    this.waiting = this.waiting.filter((job) => job.deadline > now);
    for (const job of late)
      this.end(job, {
        code: "deadline_exceeded",
        message: "No worker was free within the limit of --response-timeout (or the model's responseTimeout).",
      });
  }

  private refuseWaiting(message: string = noWorkers): void {
    for (const job of this.waiting.splice(0)) this.end(job, { code: "not_ready", message });
  }

  private end(job: Job, { code, message, status }: BatchFailure): void {
    this.count(job, job.cancelled ? "cancelled" : code, 0);
    if (!job.cancelled) job.sink.fail(code, message, status);
  }

  private count(job: Job, code: ErrorCode, bytes: number): void {
    const { arrived, waitedMs, named } = job;
    this.counters.ended(code, { tookMs: performance.now() - arrived, waitedMs, named }, bytes);
  }
}

/** What a worker's end is to the requests that it had. */
function failureBy({ late, killed, reason }: WorkerEnd): BatchFailure {
  // Its clients' own time is over in this moment, too; whichever is noticed first, they are told the same.
  if (late) return { code: "deadline_exceeded", message: `The Python worker ${reason}.` };
  return { code: killed ? "out_of_memory" : "worker_died", message: "Worker died." };
}

const full = "As many requests wait for the model as its queue holds (--job-queue-size or the model's jobQueueSize).";
const broken = "The model's workers end again and again; the log has the reason. Scale or register it anew.";

/** How often a closing looks whether the last batch has ended. */
const pollMs = 5;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
