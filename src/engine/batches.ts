/** Batches that ran, as the addon packs them on their way to the log. */
import type { BatchTimes, TakenBatches } from "./engine.js";

/** Words of a batch before the waits of its requests. */
const headWords = 5;

/** How many were left out, then per batch: tag, second, run, time beside it, answered requests, the wait of each. */
export function readBatches(packed: Float64Array, tagName: (tag: number) => string): TakenBatches {
  const names = new Map<number, string>();
  const nameOf = (tag: number): string => {
    const known = names.get(tag);
    if (known !== undefined) return known;
    // "name/version"; neither has a slash.
    const [name = ""] = tagName(tag).split("/");
    names.set(tag, name);
    return name;
  };
  const batches: BatchTimes[] = [];
  let at = 1;
  while (at + headWords <= packed.length) {
    const [tag = 0, second = 0, runMs = 0, outsideMs = 0, answered = 0] = packed.subarray(at, at + headWords);
    at += headWords;
    const waitsMs = Array.from(packed.subarray(at, at + answered));
    at += answered;
    batches.push({ name: nameOf(tag), at: second, runMs, outsideMs, waitsMs });
  }
  return { batches, leftOut: packed[0] ?? 0 };
}
