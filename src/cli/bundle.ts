/** `sconce bundle`: what a ticket needs of a running server and this machine, in one JSON file without secrets. */
import { writeFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { parseFlags } from "../config/flags.js";
import { UsageError } from "../config/usage-error.js";
import { reasonOf, Refused, Unreachable } from "./client.js";
import { exitCodes } from "./exit-codes.js";
import { redact } from "./redact.js";
import { lookAt, observeFlags } from "./status.js";
import type { Terminal } from "./terminal.js";

const defaultOutput = "sconce-bundle.json";

/** What is looked at on this machine; passed in, so that tests see it. Each gives JSON text and may throw. */
export interface Parts {
  readonly doctor: (terminal: Terminal) => Promise<unknown>;
  readonly config: (terminal: Terminal) => unknown;
}

export async function bundle(words: readonly string[], terminal: Terminal, parts: Parts): Promise<number> {
  const { values, positionals } = parseFlags(words, [...observeFlags, { flag: "output", takes: "value", short: "o" }]);
  if (positionals.length > 0) throw new UsageError(`unexpected ${JSON.stringify(positionals[0])}`);
  const path = values.get("output") ?? defaultOutput;
  const server = await attempt(() => lookAt(values, terminal));
  const content = {
    bundle: 1,
    at: new Date().toISOString(),
    server,
    machine: await attempt(() => captured(terminal, parts.doctor)),
    config: await attempt(() => captured(terminal, parts.config)),
  };
  const text = JSON.stringify(redact(content, { home: homedir(), hostname: hostname() }), null, 2);
  if (path === "-") terminal.out(`${text}\n`);
  else {
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    terminal.out(`${path}: ${Buffer.byteLength(text)} bytes; look through it before you send it\n`);
  }
  return "failed" in server ? exitCodes.failure : exitCodes.ok;
}

type Attempt<T> = T | { readonly failed: string };

/** A part that cannot be had is said, and does not lose the others. Wrong words on the command line are. */
async function attempt<T extends object>(make: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const known = error instanceof Unreachable || error instanceof Refused;
    return { failed: known ? error.message : reasonOf(error) };
  }
}

/** What a command prints as JSON. */
async function captured(terminal: Terminal, run: (terminal: Terminal) => unknown): Promise<object> {
  let text = "";
  await run({ ...terminal, out: (piece) => void (text += piece), err: () => undefined });
  return JSON.parse(text) as object;
}
