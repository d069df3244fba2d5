import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { snapshotName, snapshotsIn } from "../../../src/config/snapshot-files.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-snapshots-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("names are TorchServe's", () => {
  expect(snapshotName("startup", new Date(2026, 0, 2, 3, 4, 5, 6))).toBe("20260102030405006-startup.cfg");
});

test("the newest is the one that changed last, and an empty or foreign file is none", () => {
  const at = (name: string, seconds: number, text = "x") => {
    writeFileSync(join(folder, name), text);
    utimesSync(join(folder, name), seconds, seconds);
    return join(folder, name);
  };
  const newer = at("20240101000000000-snapshot.cfg", 200);
  const older = at("20250101000000000-shutdown.cfg", 100);
  at("20260101000000000-startup.cfg", 300, "");
  at("mine.cfg", 400);
  at(".20260101000000000-startup.cfg.1.incoming", 400);
  expect(snapshotsIn(folder)).toEqual([newer, older]);
  expect(snapshotsIn(join(folder, "none"))).toEqual([]);
});
