/** examples/fraud: a handler in TypeScript, as its page shows it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { entry, repository } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-fraud-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("examples/fraud", () => {
  test(
    "its page's commands run: answers are PyTorch's, and the archive says what runs its handler",
    { timeout: 90_000 },
    () => {
      const page = readFileSync(join(repository, "examples/fraud/README.md"), "utf8");
      const commands = page.split("\n").filter((line) => /^npx sconce (handler|archive) /.test(line));
      const outputs = commands.map((line) => {
        const words = line.split(" ").slice(2);
        const paths = words.map((word) => word.replace(/^examples\//, `${repository}examples/`));
        return spawnSync(process.execPath, [entry, ...paths], { encoding: "utf8", cwd: folder });
      });
      expect(outputs.map(({ status, stderr }) => [status, stderr])).toEqual(commands.map(() => [0, ""]));
      expect(outputs[0]?.stdout).toMatch(/4 of 4 as expected/);
      expect(outputs[2]?.stdout).toMatch(/runtime\s+Node/);
    },
  );
});
