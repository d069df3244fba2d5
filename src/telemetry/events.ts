/** What happened to a model version, as describe and `sconce status` show it: the latest few, oldest first. */

/** Something that happened. */
export interface ModelEvent {
  /** ISO time. */
  readonly at: string;
  readonly what: string;
}

/** How many are kept, and how long their words are. */
export const maxEvents = 16;
const maxEventLength = 512;

/** `events` with one more, now; the oldest gives way. */
export function withEvent(events: readonly ModelEvent[], what: string): readonly ModelEvent[] {
  const event = { at: new Date().toISOString(), what: what.slice(0, maxEventLength) };
  return [...events, event].slice(-maxEvents);
}

/** Both, in the order of their times. */
export function mergedEvents(one: readonly ModelEvent[], other: readonly ModelEvent[]): readonly ModelEvent[] {
  if (other.length === 0) return one;
  const all = [...one, ...other].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return all.slice(-maxEvents);
}
