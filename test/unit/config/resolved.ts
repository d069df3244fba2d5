/** What `sconce serve` makes of an environment and words where no file is there. */
import { resolveServe, type Resolved } from "../../../src/config/resolve.js";

export const resolve = (env: Readonly<Record<string, string>>, words: readonly string[] = []): Resolved =>
  resolveServe({
    words,
    env,
    machine: { cores: 2, logToTerminal: false },
    readFile: () => "",
    exists: () => false,
  });
