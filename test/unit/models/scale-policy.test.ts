import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  looksToGrow,
  looksToShrink,
  nextInstances,
  type Load,
  type LoadMemory,
} from "../../../src/models/scale-policy.js";

/** The numbers of instances over a load that is the same at every look. */
function over(looks: number, load: Omit<Load, "instances">, start: number, bounds = { min: 1, max: 8 }): number[] {
  let memory: LoadMemory | undefined;
  let instances = start;
  return Array.from({ length: looks }, () => {
    const found = nextInstances({ ...load, instances }, bounds, memory);
    memory = found.memory;
    return (instances = found.next);
  });
}

describe("nextInstances", () => {
  test("a queue that stays doubles them up to the most", () => {
    expect(over(8, { queueDepth: 50, inFlight: 60 }, 1)).toEqual([1, 2, 2, 4, 4, 8, 8, 8]);
  });

  test("a short queue adds no more than wait", () => {
    expect(over(looksToGrow, { queueDepth: 1, inFlight: 5 }, 4).at(-1)).toBe(5);
  });

  test("a queue seen once changes nothing", () => {
    const { memory } = nextInstances({ instances: 1, queueDepth: 9, inFlight: 9 }, { min: 1, max: 4 });
    expect(nextInstances({ instances: 1, queueDepth: 0, inFlight: 1 }, { min: 1, max: 4 }, memory).next).toBe(1);
  });

  test("one to spare for long goes, one at a time, down to the least", () => {
    const seen = over(looksToShrink * 3, { queueDepth: 0, inFlight: 1 }, 4, { min: 2, max: 4 });
    expect(seen[looksToShrink - 2]).toBe(4);
    expect(seen[looksToShrink - 1]).toBe(3);
    expect(seen.at(-1)).toBe(2);
  });

  test("all busy and none waiting stays", () => {
    expect(new Set(over(looksToShrink * 2, { queueDepth: 0, inFlight: 4 }, 4))).toEqual(new Set([4]));
  });

  test("whatever comes, the bounds hold and no step more than doubles", () => {
    const looks = fc.array(fc.record({ queueDepth: fc.nat(200), inFlight: fc.nat(200) }), { maxLength: 200 });
    fc.assert(
      fc.property(looks, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 8 }), (loads, min, more) => {
        let memory: LoadMemory | undefined;
        let instances = min;
        for (const load of loads) {
          const found = nextInstances({ ...load, instances }, { min, max: min + more }, memory);
          expect(found.next).toBeGreaterThanOrEqual(Math.max(min, instances - 1));
          expect(found.next).toBeLessThanOrEqual(Math.min(min + more, instances * 2));
          ({ memory } = found);
          instances = found.next;
        }
      }),
    );
  });
});
