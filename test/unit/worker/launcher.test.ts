/** What a worker becomes is tested in process.test.ts; here, that it goes when whoever started it is killed. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { launcherRefused, launcherSource, type LaunchSettings } from "../../../src/worker/launcher.js";

const settings = { user: null, network: true, memory: 0, files: 64, processes: 0 };
const words = ["-I", "-S", "-c", launcherSource];

function stateOf(pid: number): string {
  try {
    return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "gone";
  } catch {
    return "gone";
  }
}

test("a worker ends with its parent, also when that is killed", async () => {
  const starter = `
    const command = ["/bin/sleep", "60"];
    const settings = JSON.stringify({ ...JSON.parse(process.argv[2]), command, parent: process.pid });
    const child = require("node:child_process").spawn("python3", [...JSON.parse(process.argv[1]), settings]);
    child.once("spawn", () => console.log(child.pid));
    setInterval(() => undefined, 1000);`;
  const argv = ["-e", starter, JSON.stringify(words), JSON.stringify(settings)];
  const parent = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  await expect.poll(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"), { timeout: 20_000 }).toMatch(/^\/bin\/sleep/);
  parent.kill("SIGKILL");
  await expect.poll(() => stateOf(pid), { timeout: 20_000 }).toMatch(/gone|Z|X/);
});

test("a worker whose parent is another one by now does not start", () => {
  const orphan: LaunchSettings = { ...settings, command: ["/bin/echo", "started"], parent: 1 };
  expect(() => execFileSync("python3", [...words, JSON.stringify(orphan)], { stdio: "pipe" })).toThrow(
    /Command failed/,
  );
});

test("a command that is not there is refused in words", async () => {
  const nothing: LaunchSettings = { ...settings, command: ["/nowhere/python"], parent: process.pid };
  const child = spawn("python3", [...words, JSON.stringify(nothing)], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  expect(await once(child, "close")).toEqual([launcherRefused, null]);
  expect(said).toBe("sconce launcher: /nowhere/python does not start: No such file or directory\n");
});
