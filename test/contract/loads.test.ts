/** Loads that wait for each other in the native engine. */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/native.js";
import type { ServerError } from "../../src/errors.js";
import { specOf } from "./specs.js";

test("a load that waits for its turn has no phase yet and ends as soon as it is cancelled; the others go on", async () => {
  const engine = openEngine({ cores: 2, loadParallelism: 1, latencyBuckets: [1], maxDecodedBytes: 1 << 20 });
  const ids = ["a", "b", "c", "d"];
  const seen: string[] = [];
  const see = (what: string) => (): void => void seen.push(what);
  const loads = ids.map((id) =>
    engine
      .load(specOf("sum"), id, (phase) => seen.push(`${id} ${phase}`))
      .then(see(`${id} ready`), (error: unknown) => seen.push(`${id} ${(error as ServerError).code}`)),
  );
  engine.cancelLoad("c");
  engine.discard("d");
  await Promise.all(loads);
  const at = (what: string): number => seen.indexOf(what);
  expect(seen.filter((what) => /^[cd]/.test(what)).sort()).toEqual(["c cancelled", "d cancelled"]);
  expect(Math.max(at("c cancelled"), at("d cancelled"))).toBeLessThan(at("a ready"));
  expect(seen.filter((what) => what.startsWith("b"))).toEqual(["b load", "b warm-up", "b ready"]);
  expect(at("b load")).toBeGreaterThan(at("a warm-up"));
  for (const id of ["a", "b"]) engine.discard(id);
});
