/**
 * --supervise: a parent that starts the server as a child, forwards signals, starts it again when it dies, and returns its
 * code. It loads no libtorch and owns no listener. The child holds one end of a pipe whose end of file tells it that the
 * parent is gone.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { speaksTls } from "../config/resolve.js";
import type { ServeConfig } from "../config/serve-config.js";
import { createLog } from "../telemetry/log.js";
import { exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

/** Pure: what to do after the child's n-th early death. */
export interface RestartPolicy {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** A child that lived that long is well: the back-off starts over. */
  readonly stableMs: number;
}

export const restartPolicy: RestartPolicy = { firstDelayMs: 500, maxDelayMs: 300_000, stableMs: 60_000 };

/** Wait before the next start; `deaths` counts those in a row before the child was stable, from 1. */
export function restartDelayMs(policy: RestartPolicy, deaths: number): number {
  return Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(deaths - 1, 30));
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whether the same start could go better next time. A clean end and a wrong configuration could not. */
export function shouldRestart(end: End, asked: boolean, everReady: boolean): boolean {
  if (asked || end.code === exitCodes.ok || end.code === exitCodes.usage) return false;
  return everReady || end.signal !== null;
}

/** The child's code, or 128 + signal as shells have it. */
export function codeOf({ code, signal }: End): number {
  if (signal !== null) return 128 + constants.signals[signal];
  return code ?? exitCodes.failure;
}

const entry = fileURLToPath(new URL("../main.js", import.meta.url));
const pipeDescriptor = 3;
const forwarded = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;

interface State {
  child: ChildProcess | undefined;
  /** A signal came: whatever the child does next, it is not started again. */
  asked: boolean;
  everReady: boolean;
  wake: () => void;
}

export async function supervise(words: readonly string[], config: ServeConfig, terminal: Terminal): Promise<number> {
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    color: terminal.colorErr,
    write: terminal.err,
  });
  const state: State = { child: undefined, asked: false, everReady: false, wake: () => undefined };
  // SIGHUP then asks for a look at the certificate's and the tokens' files or for new log files, not for the end.
  const logs = config.logFolder ?? config.metricsLogFolder;
  const renews = speaksTls(config) || (config.tokensFile ?? logs) !== undefined;
  const forward = (signal: NodeJS.Signals): void => {
    state.child?.kill(signal);
    if (signal === "SIGHUP" && renews) return;
    state.asked = true;
    state.wake();
  };
  for (const name of forwarded) process.on(name, forward);
  try {
    for (let deaths = 1; ; deaths++) {
      const begun = performance.now();
      const end = await start(words, terminal, state);
      if (!shouldRestart(end, state.asked, state.everReady)) return codeOf(end);
      if (performance.now() - begun >= restartPolicy.stableMs) deaths = 1;
      const delayMs = restartDelayMs(restartPolicy, deaths);
      log.error("the server died; starting it again", { ...end, deaths, delayMs });
      await pause(delayMs, state);
      if (state.asked) return codeOf(end);
    }
  } finally {
    for (const name of forwarded) process.off(name, forward);
  }
}

/** Ends early when a signal comes. */
function pause(ms: number, state: State): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    state.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Runs the server once; resolves to how it ended. */
function start(words: readonly string[], terminal: Terminal, state: State): Promise<End> {
  const child = spawn(process.execPath, [...process.execArgv, entry, "serve", ...words], {
    env: { ...terminal.env, SCONCE_SUPERVISED_FD: String(pipeDescriptor) },
    // A process group of its own: a terminal's Ctrl-C reaches it once, through this parent.
    detached: true,
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    if (chunk.includes("sconce ready:")) state.everReady = true;
  });
  state.child = child;
  return new Promise<End>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      state.child = undefined;
      resolve({ code, signal });
    });
  });
}
