/** The rows of options.ts that are about handlers in TypeScript and JavaScript. */
import { bytes, choice, GiB, row, seconds } from "./option-row.js";

export const handlerRows = {
  hookTimeoutMs: row(
    "hook-timeout",
    seconds(0.05, 86_400),
    30_000,
    "handlers",
    "How long a hook of a handler in TypeScript may take, where the model does not say (sconce.handler.hookTimeout).",
  ),
  handlerIsolation: row(
    "handler-isolation",
    choice("auto", "thread", "process"),
    "auto",
    "handlers",
    "Where handlers in TypeScript run: in threads, in processes of their own with Node's permission model, or (auto) in a " +
      "process when the archive came by URL, else as its sconce.handler.isolation says, which is a thread by default.",
  ),
  handlerMemory: row(
    "handler-memory",
    bytes(0, 16 * 1024 * GiB),
    GiB,
    "handlers",
    "Memory that the process of one handler may take for its data; beyond it the process ends and another one is started; 0: no limit.",
  ),
} as const;
