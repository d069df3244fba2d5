/**
 * One handler's thread as main keeps it: started, watched, started again after a back-off when it ends, for as long as
 * `maxRetryMs` since the first failure. Threads that serve ask it for ways to the handler. Main thread.
 *
 * A thread that has answered nothing since its start counts as a failure in a row; after one that has, the next one is
 * started at once.
 */
import { MessageChannel, Worker } from "node:worker_threads";
import type { BatchList } from "../engine/batch-list.js";
import { ServerError } from "../errors.js";
import type { Log } from "../telemetry/log.js";
import { PoolCounters } from "../worker/counters.js";
import { backOffMs, triesAgain } from "../worker/policy.js";
import { WorkerOutput } from "../worker/output.js";
import { beatMs, type FromDesk, type FromGuest, type HandlerSetup, linkWords, type ToGuest } from "./messages.js";
import type { Tallied } from "./tally.js";
import { trialMemory } from "./trial.js";

export interface KeeperOptions {
  readonly setup: Omit<HandlerSetup, "beat">;
  readonly log: Log;
  readonly env: Readonly<Record<string, string>>;
  readonly startupTimeoutMs: number;
  readonly latencyBuckets: readonly number[];
  /** Hears of each request of a handler without a model file. */
  readonly batches: BatchList;
}

/** Looks without a beat before a thread is taken to hang, beyond the hook's own time. */
const spareLooks = 4;

type Waiting = (answer: FromDesk) => void;

export class Keeper {
  /** What the handler counts and sets, for /metrics. */
  readonly counts = new Map<string, number>();
  readonly values = new Map<string, number>();
  restarts = 0;
  /** Of a handler without a model file; those that it has now. */
  readonly requests: PoolCounters;
  open = 0;
  private taking = true;
  private readonly options: KeeperOptions;
  private readonly log: Log;
  private worker: Worker | undefined;
  private links: Int32Array[] = [];
  private trial = trialMemory();
  private waiting: Waiting[] = [];
  private serving = false;
  private failures = 0;
  private firstFailure = 0;
  private timer: NodeJS.Timeout | undefined;
  private watch: NodeJS.Timeout | undefined;
  private closed = false;
  private broken: string | undefined;

  constructor(options: KeeperOptions) {
    this.options = options;
    this.requests = new PoolCounters(options.latencyBuckets);
    const { name, version } = options.setup;
    this.log = options.log.child({ model: name, version });
  }

  /** There is no model file beside it. */
  get alone(): boolean {
    return this.options.setup.script.alone === true;
  }

  get key(): string {
    return this.options.setup.script.key;
  }

  /** Resolves when the handler has initialised; rejects with ServerError invalid_model, and nothing is left then. */
  async start(): Promise<void> {
    try {
      await this.launch();
    } catch (error) {
      await this.close();
      const why = error instanceof Error ? error.message : String(error);
      throw new ServerError("invalid_model", `the handler does not start: ${why}`, { cause: error });
    }
  }

  /** A way for one thread, now or once a thread serves again. */
  connect(answer: Waiting): void {
    const { key } = this;
    if (this.closed) answer({ key, code: "not_ready", message: "The handler is being unloaded." });
    else if (this.broken !== undefined) answer({ key, code: "no_workers", message: this.broken });
    else if (this.serving) this.link(answer);
    else this.waiting.push(answer);
  }

  /**
   * Ends it when its requests are answered, and says so by `ended`. Resolves then, or with false after `timeoutMs`: it goes
   * on in the background, as nothing is cut.
   */
  async drain(timeoutMs: number, ended: () => void): Promise<boolean> {
    const { worker } = this;
    const idle = !this.serving || worker === undefined ? Promise.resolve() : this.idle(worker);
    const closed = idle.then(() => this.close()).then(ended);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), timeoutMs)));
    const clean = await Promise.race([closed.then(() => true), late]);
    clearTimeout(timer);
    return clean;
  }

  private idle(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      worker.on("message", ({ type }: FromGuest) => {
        if (type === "idle") resolve();
      });
      worker.on("exit", () => resolve());
      worker.postMessage({ drain: true } satisfies ToGuest);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.watch);
    this.refuse("not_ready", "The handler is being unloaded.");
    await this.worker?.terminate();
  }

  private link(answer: Waiting): void {
    const { port1, port2 } = new MessageChannel();
    const link = new SharedArrayBuffer(linkWords.count * Int32Array.BYTES_PER_ELEMENT);
    this.links.push(new Int32Array(link));
    this.worker?.postMessage({ port: port1, link } satisfies ToGuest, [port1]);
    answer({ key: this.key, port: port2, link, trial: this.trial });
  }

  private launch(): Promise<void> {
    const { setup, env, startupTimeoutMs } = this.options;
    const beat = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const workerData = { ...setup, beat } satisfies HandlerSetup;
    const entry = new URL("../../dist/script/thread.js", import.meta.url);
    const name = `handler ${setup.name}/${setup.version}`;
    // No limit on its heap: at a limit, an allocation of more than some MiB ends the server instead of the thread.
    const worker = new Worker(entry, { workerData, name, env, stdout: true, stderr: true });
    this.worker = worker;
    this.links = [];
    this.trial = trialMemory();
    const output = this.capture(worker);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`initialize took longer than ${startupTimeoutMs} ms (startupTimeout, --probe-timeout)`));
        void worker.terminate();
      }, startupTimeoutMs);
      let reason = "";
      worker.on("message", (message: FromGuest) => {
        if (message.type === "failed") reject(new Error((reason = message.message)));
        else if (message.type === "requests") this.counted(message);
        else if (message.type === "log" || message.type === "metrics") this.heard(message);
        else if (message.type === "ready") {
          clearTimeout(late);
          this.ready(worker, new Int32Array(beat));
          resolve();
        }
      });
      worker.on("error", (error) => (reason = reasonOf(error)));
      worker.on("exit", (code) => {
        clearTimeout(late);
        output.flush();
        reject(new Error(reason === "" ? `its thread ended with code ${code}` : reason));
        this.ended(worker, reason === "" ? `code ${code}` : reason);
      });
    });
  }

  private capture(worker: Worker): WorkerOutput {
    const output = new WorkerOutput({
      line: (stream, text) => this.log.info(text, { stream }),
      metric: (text) => this.log.debug(text, { stream: "metrics" }),
      dropped: (lines) => this.log.warn("output of the handler was left out", { lines }),
      now: () => performance.now(),
    });
    worker.stdout.on("data", output.stream("stdout"));
    worker.stderr.on("data", output.stream("stderr"));
    return output;
  }

  private heard(message: Extract<FromGuest, { type: "log" | "metrics" }>): void {
    if (message.type === "log") {
      this.log[message.level](message.message, message.fields);
      return;
    }
    for (const [name, by] of message.counts) this.counts.set(name, (this.counts.get(name) ?? 0) + by);
    for (const [name, value] of message.values) this.values.set(name, value);
  }

  private counted({ ended, open }: Tallied): void {
    this.open = open;
    const { name } = this.options.setup;
    for (const [code, tookMs, requestBytes, responseBytes, named] of ended) {
      this.requests.came(requestBytes);
      this.requests.ended(code, { tookMs, waitedMs: 0, named }, responseBytes);
      if (code === "ok") this.options.batches.add({ name, runMs: tookMs, outsideMs: 0, waitsMs: [0] });
    }
  }

  /** Whether it takes requests; only heeded where there is no model file. */
  takes(takes: boolean): void {
    this.taking = takes;
    if (this.serving) this.worker?.postMessage({ takes } satisfies ToGuest);
  }

  private ready(worker: Worker, beat: Int32Array): void {
    this.serving = true;
    if (!this.taking) this.takes(false);
    this.watchOver(worker, beat);
    for (const answer of this.waiting.splice(0)) this.link(answer);
  }

  /** A thread whose event loop stands still for longer than a hook may take is ended. */
  private watchOver(worker: Worker, beat: Int32Array): void {
    const { hookTimeoutMs } = this.options.setup.script;
    const stepMs = beatMs(hookTimeoutMs);
    const mayMiss = Math.ceil(hookTimeoutMs / stepMs) + spareLooks;
    let seen = -1;
    let missed = 0;
    this.watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      missed = now === seen ? missed + 1 : 0;
      seen = now;
      if (missed < mayMiss) return;
      clearInterval(this.watch);
      for (const words of this.links) Atomics.store(words, linkWords.hung, 1);
      this.log.error("a hook of the handler did not return; its thread is ended", { hookTimeoutMs });
      void worker.terminate();
    }, stepMs);
    this.watch.unref();
  }

  private ended(worker: Worker, reason: string): void {
    if (this.worker !== worker) return;
    clearInterval(this.watch);
    this.worker = undefined;
    const served = this.serving;
    this.serving = false;
    // One that never served at all is told to whom started it.
    if (this.closed || (!served && this.restarts === 0)) return;
    const answered = this.links.some((words) => Atomics.load(words, linkWords.begun) > 1);
    if (answered) this.failures = 0;
    const now = performance.now();
    if (this.failures === 0) this.firstFailure = now;
    this.failures++;
    if (!triesAgain(now - this.firstFailure, this.options.setup.script.maxRetryMs)) {
      this.broken = "The handler's thread kept ending and is not started again; the log has the reasons.";
      this.log.error("the handler's thread is given up", { reason });
      this.refuse("no_workers", this.broken);
      return;
    }
    const waitMs = this.failures === 1 ? 0 : backOffMs(this.failures - 1);
    this.log.error("the handler's thread ended; another one is started", { reason, waitMs });
    this.restarts++;
    this.timer = setTimeout(() => void this.launch().catch(() => undefined), waitMs);
  }

  private refuse(code: "not_ready" | "no_workers", message: string): void {
    for (const answer of this.waiting.splice(0)) answer({ key: this.key, code, message });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY"
    ? heapFull
    : (error.stack ?? error.message);
}

const heapFull =
  "its JavaScript heap is full, V8's limit for one thread; with sconce.handler.isolation: process it has a limit of its own (--handler-memory)";
