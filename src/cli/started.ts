/** What `torchserve` and the server that it starts say to each other, through the environment and a pipe. */
import { closeSync, writeSync } from "node:fs";
import type { Terminal } from "./terminal.js";

/** "torchserve": the server was started by that command. */
export const startedAsVariable = "SCONCE_STARTED_AS";
/** Names the descriptor that is told when the ports are open. */
export const startedFdVariable = "SCONCE_STARTED_FD";

/** The ports are open. What TorchServe's users and scripts wait for. */
export function sayStarted(terminal: Terminal): void {
  if (terminal.env[startedAsVariable] !== "torchserve") return;
  terminal.out("Model server started.\n");
  const fd = Number(terminal.env[startedFdVariable] ?? "");
  if (!Number.isInteger(fd) || fd <= 2) return;
  try {
    writeSync(fd, "started\n");
    closeSync(fd);
  } catch {
    // Whoever waited has gone; the server serves all the same.
  }
}
