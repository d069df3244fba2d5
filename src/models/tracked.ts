/** One model version on its way through the states, as the manager keeps it. Main thread only. */
import { resolve } from "node:path";
import { Claims } from "../archive/cache.js";
import { stemOf } from "../archive/unpack.js";
import { shownUrl } from "../download/url.js";
import { ServerError } from "../errors.js";
import { type ModelEvent, withEvent } from "../telemetry/events.js";
import type { LoadReport, ModelSpec } from "../types.js";
import type { LoadCount, LoadPhase, ModelEntry, ModelState, RegisterRequest, Workers } from "./models.js";
import type { PrepareRequest } from "./prepare.js";
import type { ModelSource } from "./sources.js";
import { StartError } from "./start-error.js";

/** TorchServe's version for models that name none. */
const unknownVersion = "1.0";

/** What is wanted: where it comes from and what was said of it. */
export interface Wanted extends ModelSource {
  readonly trigger: LoadCount["trigger"];
  readonly request?: RegisterRequest;
}

export class Tracked {
  state: ModelState = "loading";
  name: string;
  version = unknownVersion;
  opened = false;
  spec: ModelSpec | undefined;
  report: LoadReport | undefined;
  reason: string | undefined;
  error: unknown;
  phase: string | undefined = "open";
  /** Of the load, that are over. */
  private readonly past: LoadPhase[] = [];
  private phaseBegun = performance.now();
  since = new Date().toISOString();
  loadSeconds = 0;
  workers: Workers | undefined;
  workerTimes: readonly string[] = [];
  events: readonly ModelEvent[] = [];
  readonly abort = new AbortController();
  /** What it has on the disk until it is ready. */
  readonly claims = new Claims();
  /** The archive is read, or the load is over. */
  readonly known: Promise<void>;
  readonly settled: Promise<void>;
  settle!: () => void;
  private know!: () => void;
  private readonly begun = performance.now();
  readonly id: string;
  readonly source: Wanted;

  constructor(id: string, source: Wanted) {
    this.id = id;
    this.source = source;
    this.workers = source.workers;
    this.name = source.name ?? stemOf(shownUrl(source.path));
    this.settled = new Promise((resolve) => (this.settle = resolve));
    this.known = Promise.race([new Promise<void>((resolve) => (this.know = resolve)), this.settled]);
  }

  /** Remembers what happened. */
  note(what: string): void {
    this.events = withEvent(this.events, what);
  }

  /** An operator's word. */
  scale(workers: Workers): void {
    this.workers = workers;
    this.note(`scaled, workers: ${workers.min === workers.max ? "" : `${workers.min} to `}${workers.max}`);
  }

  /** What preparing needs of it. */
  get preparing(): Pick<PrepareRequest, "signal" | "claims" | "onPhase"> {
    return { signal: this.abort.signal, claims: this.claims, onPhase: (phase) => this.reach(phase) };
  }

  open(spec: ModelSpec): void {
    this.note(`opened (${this.source.trigger})`);
    this.opened = true;
    this.reach("probe");
    const { warnings } = spec;
    this.spec = warnings === undefined ? spec : { ...spec, warnings: warnings.map((each) => this.shown(each)) };
    this.know();
  }

  /** The next phase of the load begins; undefined: there is none any more. */
  reach(phase: string | undefined): void {
    if (phase === this.phase) return;
    this.past.push(...this.running());
    this.phase = phase;
    this.phaseBegun = performance.now();
  }

  private running(): readonly LoadPhase[] {
    if (this.phase === undefined) return [];
    return [{ phase: this.phase, seconds: Math.round(performance.now() - this.phaseBegun) / 1000 }];
  }

  enter(state: ModelState): void {
    this.state = state;
    this.since = new Date().toISOString();
    this.reach(undefined);
    this.note(this.reason === undefined || state !== "failed" ? state : `failed: ${this.reason}`);
  }

  fail(error: unknown): void {
    this.error = this.named(error);
    this.reason = this.error instanceof Error ? this.error.message : String(this.error);
    this.loadSeconds = this.seconds();
    this.enter("failed");
  }

  /** Its load is over. Rejects with StartError when the start must not go on without it. */
  async loaded(): Promise<void> {
    await this.settled;
    if (this.state !== "failed" || !this.source.required || this.abort.signal.aborted) return;
    throw new StartError(shownUrl(this.source.path), this.reason ?? "does not load");
  }

  /** As clients know it: what was registered by a name in the model store is not said by its path on this machine. */
  private named(error: unknown): unknown {
    if (!(error instanceof ServerError) || this.source.url === undefined) return error;
    return new ServerError(error.code, this.shown(error.message), { cause: error });
  }

  private shown(words: string): string {
    const { path, url = path } = this.source;
    return words.replaceAll(resolve(path), url).replaceAll(path, url);
  }

  seconds(): number {
    return this.state === "loading" ? (performance.now() - this.begun) / 1000 : this.loadSeconds;
  }

  /** Instances that stay keep their time. */
  started(instances: number): void {
    const now = new Date().toISOString();
    this.workerTimes = Array.from({ length: instances }, (_, index) => this.workerTimes[index] ?? now);
  }

  entry(isDefault: boolean): ModelEntry {
    const { name, version, state, reason, phase, spec, report, since, workers } = this;
    return {
      name,
      version,
      state,
      isDefault,
      loadSeconds: this.seconds(),
      phases: [...this.past, ...this.running()],
      loadedAtStartup: this.source.trigger === "startup",
      since,
      url: shownUrl(this.source.url ?? this.source.path),
      workerTimes: this.workerTimes,
      events: this.events,
      ...(workers === undefined ? {} : { workers }),
      ...(reason === undefined ? {} : { reason }),
      ...(phase === undefined ? {} : { phase }),
      ...(spec === undefined ? {} : { spec }),
      ...(report === undefined ? {} : { report }),
    };
  }
}

/** Unregistered or shut down while it loaded. */
export function cancelledError({ name, version }: Tracked, stopped: boolean, cause: unknown): ServerError {
  if (stopped) return new ServerError("cancelled", "the load was cancelled", { cause });
  return new ServerError("conflict", `Model ${name} version ${version} was unregistered while it loaded`, { cause });
}

/** What the log says of a version that is ready. */
export function readyFields(model: Tracked): Readonly<Record<string, unknown>> {
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
