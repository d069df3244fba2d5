/** A wheel that lies in the model's folder: nothing is fetched from anywhere. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { prepareModel } from "../../../src/worker/install.js";
import type { WorkerPython } from "../../../src/worker/python.js";

const told = execFileSync("python3", ["-c", "import sys; print(sys.executable, '%d.%d.%d' % sys.version_info[:3])"]);
const [executable = "", version = ""] = told.toString().trim().split(" ");
const python: WorkerPython = { executable, version, torch: "", torchserve: "", home: "/nowhere" };
const hasPip = spawnSync(executable, ["-c", "import pip, venv"]).status === 0;

const wheel = `
import zipfile
with zipfile.ZipFile("sconce_tiny-1.0-py3-none-any.whl", "w") as out:
    out.writestr("sconce_tiny.py", "WORD = 'installed'")
    out.writestr("sconce_tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: sconce-tiny\\nVersion: 1.0\\n")
    out.writestr("sconce_tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    out.writestr("sconce_tiny-1.0.dist-info/RECORD", "")
`;

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sconce-i-"));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const prepare = (
  more: { readonly useVenv?: boolean; readonly install?: boolean; readonly requirements?: string } = {},
) => {
  const { useVenv, install = true, requirements = "requirements.txt" } = more;
  const model = { folder: "", handler: "h.py", maxRetryMs: 0, requirements, ...(useVenv ? { useVenv } : {}) };
  const say = (words: string): void => void said.push(words);
  return prepareModel(model, python, { folder, install, timeoutMs: 60_000, user: undefined, env: process.env, say });
};
const word = (program: string, paths: readonly string[]): string =>
  execFileSync(program, ["-c", "import sconce_tiny; print(sconce_tiny.WORD)"], {
    env: { PYTHONPATH: [folder, ...paths].join(":") },
  })
    .toString()
    .trim();

describe.skipIf(!hasPip)(`a model's own packages${hasPip ? "" : " (skipped: python3 has no pip or venv)"}`, () => {
  beforeEach(() => {
    execFileSync(executable, ["-c", wheel], { cwd: folder });
    writeFileSync(join(folder, "requirements.txt"), "./sconce_tiny-1.0-py3-none-any.whl\n");
  });

  test("into its folder", async () => {
    const own = await prepare();
    expect(own.python.executable).toBe(executable);
    expect(existsSync(join(folder, "sconce_tiny.py"))).toBe(true);
    expect(word(own.python.executable, own.paths)).toBe("installed");
    expect(said).toEqual([expect.stringMatching(/^requirements\.txt is installed, in [\d.]+ s$/)]);
  });

  test("into a virtual environment of its own, which goes before the Python's packages", async () => {
    const own = await prepare({ useVenv: true });
    expect(own.python.executable).toBe(join(folder, "venv/bin/python"));
    expect(existsSync(join(folder, "sconce_tiny.py"))).toBe(false);
    expect(word(own.python.executable, own.paths)).toBe("installed");
  });

  test("not without being told to", async () => {
    const own = await prepare({ install: false });
    expect(own).toEqual({ python, paths: [] });
    expect(existsSync(join(folder, "sconce_tiny.py"))).toBe(false);
    expect(said[0]).toContain("--install-py-dep-per-model");
  });

  test("what cannot be installed is said in pip's words, what is not there by name", async () => {
    writeFileSync(join(folder, "requirements.txt"), "./absent-1.0-py3-none-any.whl\n");
    await expect(prepare()).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(/its requirements cannot be installed: .*absent-1\.0/) as unknown,
    });
    await expect(prepare({ requirements: "other.txt" })).rejects.toThrow(/requirements other\.txt.*no such file/);
  });
});
