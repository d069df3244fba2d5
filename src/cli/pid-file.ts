/**
 * TorchServe's pid file, `.model_server.pid` in the folder for temporary files: which process `torchserve --stop` ends.
 * Others may write to that folder, so a file counts only when it is this user's, is no link, and names a process of this
 * user that is a `torchserve`.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../config/environment.js";

/** Python's rule for the folder, which TorchServe's own command follows. */
export function pidFilePath(env: Environment): string {
  const folder = [env["TMPDIR"], env["TEMP"], env["TMP"]].find((each) => each !== undefined && each !== "");
  return join(folder ?? "/tmp", ".model_server.pid");
}

/** The server that the file names; undefined when there is none that runs. */
export function runningPid(path: string): number | undefined {
  const pid = readPid(path);
  return pid !== undefined && isTorchserve(pid) ? pid : undefined;
}

function readPid(path: string): number | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if (fstatSync(fd).uid !== process.getuid?.()) return undefined;
    const pid = Number(readFileSync(fd, "latin1").trim());
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isTorchserve(pid: number): boolean {
  try {
    if (statSync(`/proc/${pid}`).uid !== process.getuid?.()) return false;
    return /\/torchserve(\.js)?\0/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
  } catch {
    return false;
  }
}

/**
 * Puts this process into the file. False when another server is there already; throws what node:fs throws when the file
 * cannot be written (one that is another user's, for instance).
 */
export function claimPidFile(path: string, pid: number): boolean {
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(path, `${pid}\n`, { flag: "wx", mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (runningPid(path) !== undefined) return false;
    rmSync(path);
  }
  return false;
}

/** Removes the file when it still names `pid`. */
export function releasePidFile(path: string, pid: number): void {
  if (readPid(path) === pid) rmSync(path, { force: true });
}
