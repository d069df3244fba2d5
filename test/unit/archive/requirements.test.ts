/** A file of requirements, read by a real Python; the only package that each is sure to have is pip itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unmetRequirements } from "../../../src/archive/requirements.js";

const root = mkdtempSync(join(tmpdir(), "sconce-requirements-"));
afterAll(() => rmSync(root, { recursive: true }));
const python = process.env["SCONCE_PYTHON"] ?? "python3";

test("what is missing, what has the wrong version, what cannot be checked; markers and comments count", async () => {
  const file = join(root, "requirements.txt");
  const lines = [
    "# what the handler needs",
    "pip>=1",
    "pip <1 ; python_version >= '3'",
    "pip <1 ; python_version < '3'",
    "sconce-has-no-such-package # really",
    "-r other.txt",
    "sconce-nor-this \\\n  >= 2",
  ];
  writeFileSync(file, lines.join("\n"));
  expect(await unmetRequirements(python, file)).toEqual([
    expect.stringMatching(/^pip<1 is wanted, \d+.* is there$/),
    "sconce-has-no-such-package is not installed",
    "-r other.txt is not checked",
    "sconce-nor-this is not installed",
  ]);
});

test("a Python that is not there, or a file that is none, says nothing", async () => {
  expect(await unmetRequirements(join(root, "no-python"), join(root, "requirements.txt"))).toBeUndefined();
  expect(await unmetRequirements(python, join(root, "none.txt"))).toBeUndefined();
});
