import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { claimPidFile, pidFilePath, releasePidFile, runningPid } from "../../../src/cli/pid-file.js";

const root = mkdtempSync(join(tmpdir(), "sconce-pid-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
/** Something that looks like a running torchserve. */
const script = join(root, "torchserve.js");
writeFileSync(script, "setInterval(() => {}, 1000);\nprocess.stdout.write('up');\n");
const fake = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "ignore"] });
const up = new Promise((resolve) => fake.stdout.once("data", resolve));
afterAll(() => void fake.kill("SIGKILL"));
const path = (name: string) => join(root, name);

describe("the pid file", () => {
  test("lies where Python's tempfile has it", () => {
    expect(pidFilePath({})).toBe("/tmp/.model_server.pid");
    expect(pidFilePath({ TMPDIR: "", TEMP: "/t", TMP: "/u" })).toBe("/t/.model_server.pid");
  });

  test("is written for its owner only, and names a server while that runs", async () => {
    await up;
    expect(claimPidFile(path("a"), fake.pid ?? 0)).toBe(true);
    expect(statSync(path("a")).mode & 0o777).toBe(0o600);
    expect(runningPid(path("a"))).toBe(fake.pid);
    expect(claimPidFile(path("a"), process.pid)).toBe(false);
    releasePidFile(path("a"), process.pid);
    expect(existsSync(path("a"))).toBe(true);
    releasePidFile(path("a"), fake.pid ?? 0);
    expect(existsSync(path("a"))).toBe(false);
  });

  test.each([
    ["a process that is something else", String(process.pid)],
    ["a process that is gone", "999999999"],
    ["no number", "hello"],
    ["init", "1"],
    ["a negative number, which would be a group", "-1"],
  ])("%s is no server; the file is taken over", (_, content) => {
    writeFileSync(path("b"), content);
    expect(runningPid(path("b"))).toBeUndefined();
    expect(claimPidFile(path("b"), 4242)).toBe(true);
    expect(readFileSync(path("b"), "utf8")).toBe("4242\n");
  });

  test("a link is not followed", async () => {
    await up;
    writeFileSync(path("target"), String(fake.pid));
    symlinkSync(path("target"), path("link"));
    expect(runningPid(path("link"))).toBeUndefined();
  });
});
