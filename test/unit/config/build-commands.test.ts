import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildCuda, buildEngine } from "../../../src/config/build-commands.js";

test.each([buildEngine, buildCuda])("%s is there, and in the package", (command) => {
  const [, path = ""] = /^bash (\/.*)$/u.exec(command) ?? [];
  expect(existsSync(path)).toBe(true);
  const { files } = JSON.parse(readFileSync("package.json", "utf8")) as { files: readonly string[] };
  expect(files.some((each) => path.endsWith(`/${each}`))).toBe(true);
});
