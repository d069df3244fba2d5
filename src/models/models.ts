/** The models' interface: what api, metrics and app may know of them. `manager.ts` implements it. */

import type { HandlerSpec, LoadReport, ModelSpec } from "../types.js";

export type ModelState = "loading" | "ready" | "failed" | "unloading";

export interface ModelEntry {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  readonly isDefault: boolean;
  /** Why it failed, in words for an operator. */
  readonly reason?: string;
  /** The load phase under way ("probe", "load", "warm-up"…) and how long loading has taken. */
  readonly phase?: string;
  readonly loadSeconds: number;
  readonly loadedAtStartup: boolean;
  /** ISO time. */
  readonly since: string;
  readonly spec?: ModelSpec;
  readonly report?: LoadReport;
}

/** all ready · some failed · none ready or still loading · nothing configured. */
export type Health = "healthy" | "partial" | "unready" | "empty";

export interface LoadCount {
  readonly trigger: "startup" | "management";
  readonly outcome: "ok" | "failed";
  readonly count: number;
}

export interface ModelCatalog {
  list(): readonly ModelEntry[];
  get(name: string): readonly ModelEntry[];
  health(): Health;
  loadCounts(): readonly LoadCount[];
}

/** Tells every HTTP thread about a version's handler; resolves when all have it. Called before the version is routed. */
export type Announce = (name: string, version: string, handler: HandlerSpec) => Promise<void>;
