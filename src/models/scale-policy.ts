/** How many instances a load asks for. Pure: no clock; time is the number of looks. */
import type { Workers } from "./models.js";

export interface Load {
  readonly instances: number;
  /** Requests that wait. */
  readonly queueDepth: number;
  /** Requests that wait or run. */
  readonly inFlight: number;
}

export interface LoadMemory {
  /** Looks in a row that found requests waiting. */
  readonly waiting: number;
  /** Looks in a row that found an instance too many. */
  readonly spare: number;
}

/** So many looks in a row with a queue add instances. */
export const looksToGrow = 2;
/** So many in a row with an instance to spare take one away: 10 s. */
export const looksToShrink = 40;

/** At most doubles, at most one less; between the bounds in any case. */
export function nextInstances(
  { instances, queueDepth, inFlight }: Load,
  { min, max }: Workers,
  before: LoadMemory = { waiting: 0, spare: 0 },
): { readonly next: number; readonly memory: LoadMemory } {
  const waiting = queueDepth > 0 ? before.waiting + 1 : 0;
  const spare = queueDepth === 0 && inFlight < instances ? before.spare + 1 : 0;
  const within = (wanted: number): number => Math.min(Math.max(wanted, min), max);
  if (waiting >= looksToGrow) {
    return { next: within(instances + Math.min(instances, queueDepth)), memory: { waiting: 0, spare: 0 } };
  }
  if (spare >= looksToShrink) return { next: within(instances - 1), memory: { waiting: 0, spare: 0 } };
  return { next: within(instances), memory: { waiting, spare } };
}
