import { expect, test } from "vitest";
import type { ModelStats } from "../../../src/engine/engine.js";
import { InferenceTotals } from "../../../src/metrics/inference-totals.js";

/** `requests` in all, of which `named` named the version; each took 2 s, of which it waited 1 s. */
function stats(version: string, requests: number, named = 0, name = "m"): ModelStats {
  return {
    name,
    version,
    requestsByCode: [requests - 1, 1],
    requestSeconds: { bounds: [], counts: [], sum: 2 * requests },
    queueSeconds: { bounds: [], counts: [], sum: requests },
    named: { requests: named, requestSeconds: 2 * named, queueSeconds: named },
  } as unknown as ModelStats;
}

function counts(totals: InferenceTotals, ...all: ModelStats[]): Record<string, number> {
  const rows = totals.look(all);
  for (const { requests, requestSeconds, queueSeconds } of rows) {
    expect([requestSeconds, queueSeconds]).toEqual([2 * requests, requests]);
  }
  return Object.fromEntries(rows.map(({ name, version, requests }) => [`${name} ${version}`, requests]));
}

test("in sconce's way the label is the version that answered", () => {
  const totals = new InferenceTotals(false);
  expect(counts(totals, stats("1.0", 5, 2), stats("2.0", 7))).toEqual({ "m 1.0": 5, "m 2.0": 7 });
});

test("in TorchServe's way it is default for all that named none, and the version for those that named it", () => {
  const totals = new InferenceTotals(true);
  expect(counts(totals, stats("1.0", 5, 2), stats("2.0", 7), stats("1", 3, 3, "other"))).toEqual({
    "m default": 10,
    "m 1.0": 2,
    "other default": 0,
    "other 1": 3,
  });
});

test("default does not fall when a version goes or is loaded anew, and starts over when the name is gone", () => {
  const totals = new InferenceTotals(true);
  expect(counts(totals, stats("1.0", 5, 2), stats("2.0", 7))).toEqual({ "m default": 10, "m 1.0": 2 });
  expect(counts(totals, stats("2.0", 8))).toEqual({ "m default": 11 });
  expect(counts(totals, stats("2.0", 2))).toEqual({ "m default": 13 });
  expect(counts(totals, stats("2.0", 4, 1))).toEqual({ "m default": 14, "m 2.0": 1 });
  expect(counts(totals)).toEqual({});
  expect(counts(totals, stats("2.0", 1))).toEqual({ "m default": 1 });
});

// A request that named its version may have been counted in the one sum and not yet in the other.
test("default does not fall when sums are read while requests end", () => {
  const totals = new InferenceTotals(true);
  expect(counts(totals, stats("1.0", 6, 2))).toEqual({ "m default": 4, "m 1.0": 2 });
  expect(counts(totals, stats("1.0", 6, 3))).toEqual({ "m default": 4, "m 1.0": 3 });
  expect(counts(totals, stats("1.0", 9, 3))).toEqual({ "m default": 6, "m 1.0": 3 });
});
