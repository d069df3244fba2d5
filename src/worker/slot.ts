/**
 * One place of a pool: a worker, and another one when that has ended, after TorchServe's back-off, for as long as
 * `maxRetryMs` since the first failure. A new worker counts once its model is loaded. Main thread.
 */
import type { WorkerFrame, WorkerRequest } from "./frames.js";
import { backOffMs, triesAgain } from "./policy.js";
import type { WorkerEnd, WorkerProcess } from "./process.js";

/**
 * starting: a worker loads its model. idle, busy: it is loaded. resting: until the next try. broken: nothing is tried any
 * more. ended: the place is given up.
 */
export type SlotState = "starting" | "idle" | "busy" | "resting" | "broken" | "ended";

export interface SlotSettings {
  /** Starts a worker. */
  readonly launch: () => LaunchedWorker;
  readonly maxRetryMs: number;
}

/** A worker and what is to be cleared away when it has ended. */
export interface LaunchedWorker {
  readonly worker: WorkerProcess;
  readonly clear: () => void;
}

export interface SlotEvents {
  /** The state is another. */
  readonly changed: (slot: Slot) => void;
  /** A worker ended unasked: what it was doing, and when the next one is started; undefined: never. */
  readonly failed: (slot: Slot, end: WorkerEnd, pid: number | undefined, retryMs: number | undefined) => void;
  readonly recovered: (slot: Slot) => void;
}

export class Slot {
  state: SlotState = "starting";
  since = new Date();
  /** A worker is loaded, or cannot be: then with the reason. Only of the first one. */
  readonly first: Promise<void>;
  private readonly settings: SlotSettings;
  private readonly events: SlotEvents;
  private worker: WorkerProcess | undefined;
  private failures = 0;
  private firstFailure = 0;
  private timer: NodeJS.Timeout | undefined;
  /** No new work, and no new worker. */
  private leaving = false;
  /** The pool does not have the slot yet. */
  private making = true;
  private gone!: () => void;
  readonly ended: Promise<void>;

  constructor(settings: SlotSettings, events: SlotEvents) {
    this.settings = settings;
    this.events = events;
    this.ended = new Promise((resolve) => (this.gone = resolve));
    this.first = this.start();
    // The pool asks only the first of its slots.
    this.first.catch(() => undefined);
    this.making = false;
  }

  get pid(): number | undefined {
    return this.worker?.pid;
  }

  get stays(): boolean {
    return !this.leaving;
  }

  /** Only while idle. */
  run(requests: readonly WorkerRequest[], onFrame: (frame: WorkerFrame) => boolean): void {
    this.enter("busy");
    this.worker?.predict(requests, (frame) => {
      const more = onFrame(frame);
      if (!more) this.free();
      return more;
    });
  }

  /** Ends when what it runs is done. */
  leave(): void {
    if (this.leaving) return;
    this.leaving = true;
    clearTimeout(this.timer);
    if (this.state === "resting" || this.state === "broken") this.over();
    else if (this.state !== "busy") this.worker?.stop();
  }

  /** Ends at once. */
  kill(why: string): void {
    this.leave();
    this.worker?.end(why);
  }

  private start(): Promise<void> {
    this.enter("starting");
    let launched: LaunchedWorker;
    try {
      launched = this.settings.launch();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Not in the constructor's own turn: the pool does not have the slot yet.
      queueMicrotask(() => this.endedWith({ reason, killed: false, late: false, loadCode: 0 }));
      return Promise.reject(error instanceof Error ? error : new Error(reason));
    }
    const { worker, clear } = launched;
    this.worker = worker;
    void worker.ended.then((end) => {
      clear();
      this.endedWith(end);
    });
    return worker.ready.then(() => this.loaded(worker));
  }

  private loaded(worker: WorkerProcess): void {
    if (this.worker !== worker || this.state !== "starting") return;
    if (this.failures > 0) this.events.recovered(this);
    this.failures = 0;
    this.since = new Date();
    this.free();
  }

  private free(): void {
    this.enter("idle");
    if (this.leaving) this.worker?.stop();
  }

  private endedWith(end: WorkerEnd): void {
    const pid = this.worker?.pid;
    this.worker = undefined;
    if (this.leaving) {
      // What it was running is told first.
      if (this.state === "busy") this.events.failed(this, end, pid, undefined);
      this.over();
      return;
    }
    const now = performance.now();
    if (this.failures === 0) this.firstFailure = now;
    this.failures++;
    const again = triesAgain(now - this.firstFailure, this.settings.maxRetryMs);
    const retryMs = again ? backOffMs(this.failures) : undefined;
    this.events.failed(this, end, pid, retryMs);
    this.enter(retryMs === undefined ? "broken" : "resting");
    if (retryMs !== undefined) this.timer = setTimeout(() => void this.start().catch(() => undefined), retryMs);
  }

  private over(): void {
    if (this.state === "ended") return;
    this.enter("ended");
    this.gone();
  }

  private enter(state: SlotState): void {
    this.state = state;
    if (!this.making) this.events.changed(this);
  }
}
