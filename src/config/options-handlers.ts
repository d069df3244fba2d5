/** The rows of options.ts that are about handlers in TypeScript and JavaScript. */
import { row, seconds } from "./option-row.js";

export const handlerRows = {
  hookTimeoutMs: row(
    "hook-timeout",
    seconds(0.05, 86_400),
    30_000,
    "handlers",
    "How long a hook of a handler in TypeScript may take, where the model does not say (sconce.handler.hookTimeout).",
  ),
} as const;
