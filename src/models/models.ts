/** The models' interface: what api, metrics and app may know of them. `manager.ts` implements it. */

import type { HandlerSpec, LoadReport, ModelSpec } from "../types.js";
import type { ModelEvent } from "../telemetry/events.js";

export type ModelState = "loading" | "ready" | "failed" | "unloading";

export interface ModelEntry {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  readonly isDefault: boolean;
  /** Why it failed, or why what should follow it did, in words for an operator. */
  readonly reason?: string;
  /** The load phase under way ("open", "probe", "waiting", "load", "warm-up"…) and how long loading has taken. */
  readonly phase?: string;
  readonly loadSeconds: number;
  /** What it went on with, in order, the phase under way included. */
  readonly phases?: readonly LoadPhase[];
  readonly loadedAtStartup: boolean;
  /** ISO time. */
  readonly since: string;
  /** As it was registered: a file of the store or a URL. */
  readonly url?: string;
  /** Bounds of the number of instances, within which it follows the load; absent: it stays as it began. */
  readonly workers?: Workers;
  /** ISO times at which its instances were started, oldest first. */
  readonly workerTimes?: readonly string[];
  /** The latest, oldest first. */
  readonly events?: readonly ModelEvent[];
  readonly spec?: ModelSpec;
  readonly report?: LoadReport;
}

export interface LoadPhase {
  readonly phase: string;
  readonly seconds: number;
}

export interface Workers {
  readonly min: number;
  readonly max: number;
}

/** all ready · some failed · none ready or still loading · nothing configured. */
export type Health = "healthy" | "partial" | "unready" | "empty";

export interface LoadCount {
  readonly trigger: "startup" | "management" | "store";
  readonly outcome: "ok" | "failed";
  readonly count: number;
}

export interface ModelCatalog {
  list(): readonly ModelEntry[];
  get(name: string): readonly ModelEntry[];
  health(): Health;
  loadCounts(): readonly LoadCount[];
}

/** What a registration may say of the model; where its model-config.yaml speaks too, see prepare.ts. */
export interface RegisterRequest {
  /** A file of the model store, or a URL that the store takes. */
  readonly url: string;
  readonly name?: string;
  /** Wins over the manifest's. */
  readonly handler?: string;
  readonly batchSize?: number;
  readonly maxBatchDelayMs?: number;
  readonly responseTimeoutMs?: number;
  /** Of the trial load and of the load, when model-config.yaml names none. */
  readonly startupTimeoutMs?: number;
  /**
   * Instances to begin with, when model-config.yaml names no number; 0: it is loaded and takes no requests.
   * Absent: --default-workers.
   */
  readonly workers?: number;
  /** What the instances may grow to under load, when model-config.yaml does not say. */
  readonly maxWorkers?: number;
  /** Resolve once it serves; else as soon as the archive has been read. */
  readonly wait: boolean;
}

export interface Scaled {
  readonly entry: ModelEntry;
  /** Instances there are now. */
  readonly instances: number;
  /** Every instance that was too many has ended. */
  readonly settled: boolean;
}

/** What operators do to models. Every promise resolves when the change is seen on every HTTP thread. */
export interface ModelAdmin extends ModelCatalog {
  /** Rejects with ServerError (invalid_model, conflict, model_not_found, busy…) and leaves no trace then. */
  register(request: RegisterRequest): Promise<ModelEntry>;
  /** version undefined: the default one. `wait`: until instances that are too many have ended. */
  scale(name: string, version: string | undefined, workers: Workers, wait: boolean): Promise<Scaled>;
  /**
   * Requests without a version go there from now on. Rejects with incompatible when clients of the present default could not
   * go on, unless `force`; resolves to the differences.
   */
  setDefault(name: string, version: string, force?: boolean): Promise<readonly string[]>;
  /** The default version becomes the one that was it before. Rejects with conflict when there is none. */
  rollback(name: string): Promise<{ readonly from: string; readonly to: string }>;
  /**
   * Takes a version (undefined: the default one) out of service, or cancels its load. Resolves to whether its last
   * request ended in time. Rejects with model_not_found, version_not_found, or default_version when it has siblings.
   */
  unregister(name: string, version: string | undefined): Promise<boolean>;
}

/** What HTTP threads are told; each resolves when all of them know. */
export interface Announce {
  /** Before the version is routed. */
  handler(name: string, version: string, handler: HandlerSpec): Promise<void>;
  defaultVersion(name: string, version: string): Promise<void>;
  /** The version is no longer routed. */
  withdraw(name: string, version: string): Promise<void>;
  /** Whatever else is answered from the catalog's state. */
  visible(): Promise<void>;
}
