import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { Claims } from "../../../src/archive/cache.js";
import { optionKeys, optionRows } from "../../../src/config/options.js";
import type { ServeConfig } from "../../../src/config/serve-config.js";
import { createPrepare } from "../../../src/models/prepare.js";
import { silentLog } from "../../../src/telemetry/log.js";
import { eventually } from "../../e2e/server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-prepare-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const artifact = fileURLToPath(new URL("../../contract/models/echo.pt", import.meta.url));

/** Archives are tried by a program that does not end by itself. */
function makePrepare() {
  const probeProgram = join(folder, "probe");
  writeFileSync(probeProgram, "#!/bin/sh\nexec sleep 60\n");
  chmodSync(probeProgram, 0o755);
  const defaults = Object.fromEntries(optionKeys.map((key) => [key, optionRows[key].fallback]));
  const config = { ...defaults, probe: "always", probeTimeoutMs: 50_000, defaultWorkers: 1 } as unknown as ServeConfig;
  const gpus = { library: "", driver: "", problem: "", found: 0, inUse: 0 };
  const env = { SCONCE_CACHE: join(folder, "cache"), XDG_CACHE_HOME: join(folder, "cache") };
  return createPrepare({ config, log: silentLog, libtorch: "2", gpus, env, probeProgram, within: (look) => look() });
}

test("two archives are tried at once; one that waits says so, and ends as soon as it is not wanted", async () => {
  const prepare = makePrepare();
  const jobs = ["a", "b", "c"].map((name) => {
    const path = join(folder, `${name}.pt`);
    copyFileSync(artifact, path);
    const abort = new AbortController();
    const phases: string[] = [];
    const onPhase = (phase: string): void => void phases.push(phase);
    const onSpec = (): void => void phases.push("read");
    const ended = prepare({ path, signal: abort.signal, claims: new Claims(), onPhase, onSpec }).then(
      () => "ready",
      () => "ended",
    );
    return { abort, phases, ended };
  });
  const [first, second, third] = jobs as [(typeof jobs)[0], (typeof jobs)[0], (typeof jobs)[0]];
  await eventually(5000, "two archives to be read", () => (second.phases.at(-1) === "read" ? true : undefined));
  expect(jobs.map(({ phases }) => phases)).toEqual([["open", "read"], ["open", "read"], ["waiting"]]);
  third.abort.abort();
  expect(await Promise.race([third.ended, first.ended, second.ended])).toBe("ended");
  expect(third.phases).toEqual(["waiting"]);
  for (const { abort } of jobs) abort.abort();
  expect(await Promise.all(jobs.map(({ ended }) => ended))).toEqual(["ended", "ended", "ended"]);
});
