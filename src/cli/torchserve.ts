/**
 * The command `torchserve`: starts a server as TorchServe's own command does, in the background unless --foreground, and
 * stops it by its pid file. Every other option is `sconce serve`'s. Never rejects.
 */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { UsageError } from "../config/usage-error.js";
import { exitCodes } from "./exit-codes.js";
import { claimPidFile, pidFilePath, releasePidFile, runningPid } from "./pid-file.js";
import { report } from "./run.js";
import { startedAsVariable, startedFdVariable } from "./started.js";
import type { Terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

/** The TorchServe whose command this is. */
const torchserveVersion = "0.12.0";
/** A server that is told to stop has that long before --stop gives up waiting. */
const stopMs = 60_000;
const pollMs = 50;
const startedDescriptor = 3;

export async function torchserve(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(words, terminal);
  } catch (error) {
    return report(error, "serve", terminal);
  }
}

async function dispatch(words: readonly string[], terminal: Terminal): Promise<number> {
  if (words.includes("--version") || words.includes("-v")) {
    terminal.out(`TorchServe Version is ${torchserveVersion} (served by sconce ${packageVersion()})\n`);
    return exitCodes.ok;
  }
  if (words.length === 0 || words.includes("--help") || words.includes("-h")) {
    terminal.out(usage);
    return exitCodes.ok;
  }
  if (words.includes("--stop")) return stop(terminal);
  if (!words.includes("--start")) throw new UsageError("torchserve takes --start, --stop or --version");
  const rest = words.filter((word) => word !== "--start");
  if (rest.includes("--foreground")) return foreground(rest, terminal);
  return background(rest, terminal);
}

const usage = `Usage: torchserve --start [options] | --stop | --version

  --start        Starts a server in the background; it says "Model server started." when its ports are open.
  --foreground   With --start: stays in the foreground.
  --stop         Ends the server that was started here.
  --version      Prints the version.

Other options are those of TorchServe and of sconce serve: sconce help serve
`;

const alreadyStarted = "TorchServe has already started, please use torchserve --stop to stop TorchServe.\n";

async function foreground(words: readonly string[], terminal: Terminal): Promise<number> {
  const path = pidFilePath(terminal.env);
  if (!claim(path)) {
    terminal.out(alreadyStarted);
    return exitCodes.failure;
  }
  try {
    const { serve } = await import("./serve.js");
    return await serve(words, { ...terminal, env: { ...terminal.env, [startedAsVariable]: "torchserve" } });
  } finally {
    releasePidFile(path, process.pid);
  }
}

function claim(path: string): boolean {
  try {
    return claimPidFile(path, process.pid);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the pid file cannot be written: ${reason}; TMPDIR names another folder for it`);
  }
}

/** Starts the same command with --foreground and leaves it once its ports are open. */
async function background(words: readonly string[], terminal: Terminal): Promise<number> {
  if (runningPid(pidFilePath(terminal.env)) !== undefined) {
    terminal.out(alreadyStarted);
    return exitCodes.failure;
  }
  const entry = fileURLToPath(new URL("../torchserve.js", import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, entry, "--start", "--foreground", ...words], {
    env: { ...terminal.env, [startedFdVariable]: String(startedDescriptor) },
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const pipe = child.stdio[startedDescriptor] as Readable;
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? exitCodes.failure));
  });
  const started = new Promise<number>((resolve) => pipe.once("data", () => resolve(exitCodes.ok)));
  const code = await Promise.race([started, ended]);
  pipe.destroy();
  child.unref();
  return code;
}

async function stop(terminal: Terminal): Promise<number> {
  const path = pidFilePath(terminal.env);
  const pid = runningPid(path);
  if (pid === undefined) {
    terminal.out("TorchServe is not currently running.\n");
    return exitCodes.ok;
  }
  process.kill(pid, "SIGTERM");
  const end = performance.now() + stopMs;
  while (runningPid(path) === pid) {
    if (performance.now() > end) {
      terminal.out("Stopping TorchServe took too long.\n");
      return exitCodes.failure;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  releasePidFile(path, pid);
  terminal.out("TorchServe has stopped.\n");
  return exitCodes.ok;
}
