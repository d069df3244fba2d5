import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { maxCopiedBytes, WorkerFolders } from "../../../src/worker/folders.js";

let model: string;
let folders: WorkerFolders;
beforeEach(() => {
  model = mkdtempSync(join(tmpdir(), "sconce-model-"));
  mkdirSync(join(model, "MAR-INF"));
  writeFileSync(join(model, "MAR-INF", "MANIFEST.json"), "{}");
  writeFileSync(join(model, "h.py"), "code");
  writeFileSync(join(model, "weights.pt"), "");
  truncateSync(join(model, "weights.pt"), maxCopiedBytes + 1);
  folders = new WorkerFolders();
});
afterEach(() => {
  folders.close();
  rmSync(model, { recursive: true });
});

test("a version's folder shows the model; what is written there does not reach it", async () => {
  const folder = await folders.version(model);
  expect(readFileSync(join(folder, "MAR-INF", "MANIFEST.json"), "utf8")).toBe("{}");
  expect(lstatSync(join(folder, "weights.pt")).isSymbolicLink()).toBe(true);
  writeFileSync(join(folder, "h.py"), "changed");
  writeFileSync(join(folder, "new"), "");
  expect(readFileSync(join(model, "h.py"), "utf8")).toBe("code");
  folders.remove(folder);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(model, "weights.pt"))).toBe(true);
});

test("folders are short, apart from each other, for their owner alone, and go at the end", async () => {
  const all = [folders.worker(), folders.worker(), await folders.version(model)];
  expect(new Set(all).size).toBe(3);
  for (const folder of all) expect(lstatSync(folder).mode & 0o077).toBe(0);
  expect(all[0]?.length).toBeLessThan(tmpdir().length + 40);
  folders.close();
  expect(all.filter((folder) => existsSync(folder))).toEqual([]);
});

test("a folder that is not there", async () => {
  await expect(folders.version(join(model, "none"))).rejects.toThrow(/ENOENT/);
});

test.skipIf(process.getuid?.() !== 0)("with an owner all is that one's, and large files are copies", async () => {
  const owner = { uid: 65_534, gid: 65_534 };
  const owned = new WorkerFolders(owner);
  try {
    const version = await owned.version(model);
    for (const path of [version, join(version, "MAR-INF"), join(version, "weights.pt"), owned.worker()]) {
      const { uid, gid } = lstatSync(path);
      expect({ uid, gid }, path).toEqual(owner);
    }
    expect(lstatSync(join(version, "weights.pt")).isFile()).toBe(true);
    expect(lstatSync(join(version, "..")).mode & 0o777).toBe(0o711);
    expect(lstatSync(join(model, "h.py")).uid).toBe(0);
  } finally {
    owned.close();
  }
});
