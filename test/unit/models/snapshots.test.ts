import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTorchserve } from "../../../src/config/torchserve-file.js";
import { optionRows } from "../../../src/config/options.js";
import type { ModelSnapshot } from "../../../src/config/model-snapshot.js";
import { snapshotsIn } from "../../../src/config/snapshot-files.js";
import type { ModelEntry } from "../../../src/models/models.js";
import { snapshotSources } from "../../../src/models/snapshot-sources.js";
import { maxSnapshots, Snapshots } from "../../../src/models/snapshots.js";
import { silentLog } from "../../../src/telemetry/log.js";
import type { ModelSpec } from "../../../src/types.js";

const entry = (name: string, changes: Partial<ModelEntry> = {}, spec: Partial<ModelSpec> = {}): ModelEntry => ({
  name,
  version: "1.0",
  state: "ready",
  isDefault: true,
  loadSeconds: 1,
  loadedAtStartup: true,
  since: "",
  spec: {
    source: `/store/${name}.mar`,
    instances: 0,
    maxBatchDelayMs: 0,
    responseTimeoutMs: 1500,
    ...spec,
  } as ModelSpec,
  ...changes,
});

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "sconce-snapshots-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(changes: { folder?: string; warned?: string[] } = {}) {
  let ms = 0;
  const log = { ...silentLog, warn: (message: string) => void changes.warned?.push(message) };
  const now = () => new Date(2026, 0, 1, 0, 0, 0, ms++);
  return new Snapshots({ folder, modelStore: "/store", now, ...changes, log });
}

function read(): ModelSnapshot {
  const [newest = ""] = snapshotsIn(folder);
  return readTorchserve(newest, readFileSync(newest, "utf8"), {}).settings.get(optionRows.modelSnapshot)
    ?.value as ModelSnapshot;
}

describe("Snapshots", () => {
  test("what is read back loads the same: versions, workers, default, batches", async () => {
    const files = open();
    files.note("startup", [
      entry("a", { workers: { min: 0, max: 3 } }),
      entry("b", {}, { source: "/elsewhere/b ü\\.mar", batchSize: 1, maxBatchDelayMs: 20, instances: 2 }),
      entry("b", { version: "2", isDefault: false }, { source: "https://host/b.mar" }),
      entry("c", { state: "loading" }),
      entry("d", { state: "failed" }),
    ]);
    await files.end([]);
    rmSync(snapshotsIn(folder)[0] ?? "");
    const files2 = open();
    files2.note("startup", [entry("a", { workers: { min: 0, max: 3 } })]);
    await files2.end([
      entry("a", { workers: { min: 0, max: 3 } }),
      entry("b", {}, { source: "/elsewhere/b ü\\.mar", batchSize: 1, maxBatchDelayMs: 20, instances: 2 }),
      entry("b", { version: "2", isDefault: false }, { source: "https://host/b.mar" }),
      entry("c", { state: "loading" }),
    ]);
    expect(snapshotSources(read(), "/store")).toEqual([
      {
        path: "/store/a.mar",
        url: "a.mar",
        name: "a",
        required: true,
        said: { responseTimeoutMs: 2000, workers: 1 },
        workers: { min: 0, max: 3 },
        isDefault: true,
      },
      {
        path: "https://host/b.mar",
        name: "b",
        required: true,
        said: { responseTimeoutMs: 2000 },
        isDefault: false,
      },
      {
        path: "/elsewhere/b ü\\.mar",
        name: "b",
        required: true,
        said: { batchSize: 1, maxBatchDelayMs: 20, responseTimeoutMs: 2000, workers: 2 },
        workers: { min: 2, max: 2 },
        isDefault: true,
      },
    ]);
  });

  test("nothing is written before the start is whole, nor after the end", async () => {
    const files = open();
    files.note("snapshot", [entry("a")]);
    await files.end([entry("a")]);
    expect(readdirSync(folder)).toEqual([]);
    files.note("startup", [entry("a")]);
    await files.end([entry("b")]);
    files.note("snapshot", []);
    await files.end([]);
    expect(Object.keys(read().models)).toEqual(["b"]);
    expect(readdirSync(folder).filter((name) => !name.endsWith(".cfg"))).toEqual([]);
  });

  test("only its owner may read it, and old ones go", async () => {
    for (let i = 0; i < maxSnapshots + 5; i++)
      writeFileSync(join(folder, `202501010000${10000 + i}-snapshot.cfg`), "x");
    const files = open();
    files.note("startup", [entry("a")]);
    await files.end([entry("a")]);
    const kept = snapshotsIn(folder);
    expect(kept).toHaveLength(maxSnapshots);
    expect(statSync(kept[0] ?? "").mode & 0o777).toBe(0o600);
  });

  test("a folder that cannot be made is one warning per write, and nothing else", async () => {
    writeFileSync(join(folder, "file"), "");
    const warned: string[] = [];
    const files = open({ folder: join(folder, "file", "config"), warned });
    files.note("startup", [entry("a")]);
    await files.end([entry("a")]);
    expect(warned.length).toBeGreaterThan(0);
    expect(warned[0]).toMatch(/--snapshot-folder/);
  });
});
