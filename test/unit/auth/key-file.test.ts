import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readKeyFile, removeKeyFile, writeKeyFile } from "../../../src/auth/key-file.js";

const root = mkdtempSync(join(tmpdir(), "sconce-key-file-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("what is no key file reads as none", () => {
  const path = join(root, "k.json");
  expect(readKeyFile(path)).toBeUndefined();
  for (const text of ["", "{", "null", "7"]) {
    writeFileSync(path, text);
    expect(readKeyFile(path)).toBeUndefined();
  }
});

test("written, read, removed; removing twice is no error", () => {
  const path = join(root, "again.json");
  writeKeyFile(path, { API: { key: "x" } });
  expect(readKeyFile(path)).toEqual({ API: { key: "x" } });
  removeKeyFile(path);
  removeKeyFile(path);
  expect(readKeyFile(path)).toBeUndefined();
});
