/**
 * What to do next about the models: pure functions of a snapshot, without clock, lock or I/O. manager.ts does it.
 */
import type { Health, ModelState, Workers } from "./models.js";

export interface Desired {
  readonly id: string;
}

export interface Actual {
  readonly id: string;
  readonly state: ModelState;
  /** Known once the archive is open. */
  readonly name: string | undefined;
  readonly version: string;
}

export interface Snapshot {
  /** In the order in which they were asked for. */
  readonly desired: readonly Desired[];
  readonly actual: readonly Actual[];
  /** Versions that an operator made the default, by name. */
  readonly chosenDefaults: ReadonlyMap<string, string>;
  /** What requests without a version reach now, by name. */
  readonly routedDefaults: ReadonlyMap<string, string>;
}

export type Step =
  | { readonly kind: "load" | "cancel" | "unload" | "forget"; readonly id: string }
  | { readonly kind: "default"; readonly name: string; readonly version: string };

/**
 * Desired and not there: load. There and not desired: cancel what loads, unload what serves, forget what failed. A name's
 * default is the version that was chosen, while it is ready, else the ready one that was asked for first. A failed model
 * is not tried again by itself.
 */
export function nextSteps(snapshot: Snapshot): readonly Step[] {
  const wanted = new Set(snapshot.desired.map((each) => each.id));
  const there = new Set(snapshot.actual.map((each) => each.id));
  const steps: Step[] = [];
  for (const { id } of snapshot.desired) if (!there.has(id)) steps.push({ kind: "load", id });
  for (const { id, state } of snapshot.actual) {
    if (wanted.has(id)) continue;
    if (state === "loading") steps.push({ kind: "cancel", id });
    if (state === "ready") steps.push({ kind: "unload", id });
    if (state === "failed") steps.push({ kind: "forget", id });
  }
  return [...steps, ...defaultSteps(snapshot)];
}

function defaultSteps(snapshot: Snapshot): readonly Step[] {
  const actual = new Map(snapshot.actual.map((each) => [each.id, each]));
  const ready = snapshot.desired.map(({ id }) => actual.get(id)).filter((each) => each?.state === "ready");
  const names = new Set(ready.map((each) => each?.name).filter((name) => name !== undefined));
  return [...names].flatMap((name): Step[] => {
    const versions = ready.filter((each) => each?.name === name).map((each) => each?.version ?? "");
    const chosen = snapshot.chosenDefaults.get(name);
    const version = chosen !== undefined && versions.includes(chosen) ? chosen : versions[0];
    return version === undefined || snapshot.routedDefaults.get(name) === version
      ? []
      : [{ kind: "default", name, version }];
  });
}

/** The latest of the earlier defaults that is ready and is not the present one. `history` is oldest first. */
export function rollbackTarget(
  history: readonly string[],
  current: string | undefined,
  ready: readonly string[],
): string | undefined {
  return history.findLast((version) => version !== current && ready.includes(version));
}

/** TorchServe's rule: raised to the least, trimmed to the most. */
export function instancesFor(now: number, { min, max }: Workers): number {
  return Math.min(Math.max(now, min), max);
}

/** What /ping says, from all models' states. */
export function healthOf(states: readonly ModelState[]): Health {
  const counted = states.filter((state) => state !== "unloading");
  if (counted.length === 0) return "empty";
  const ready = counted.filter((state) => state === "ready").length;
  if (counted.includes("loading") || ready === 0) return "unready";
  return ready === counted.length ? "healthy" : "partial";
}
