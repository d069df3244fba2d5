/** Tries a tokenizer file in a process of its own and tells what it says of itself. Main thread; asynchronous. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TokenizerFacts } from "./facts.js";

export type { TokenizerFacts } from "./facts.js";

/** Two folders up from both src/tokenizer and dist/tokenizer. */
const program = fileURLToPath(new URL("../../dist/tokenizer/probe.js", import.meta.url));

const timeoutMs = 60_000;
const maxOutputBytes = 65_536;
const maxHeapMiB = 2048;

/** `padToken`: what its padding token may be called. Rejects with an Error that says what is wrong with the file. */
export function checkTokenizer(file: string, padToken?: string): Promise<TokenizerFacts> {
  // No secrets of the server's environment.
  const env = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };
  const limits = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: maxOutputBytes } as const;
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [`--max-old-space-size=${maxHeapMiB}`, program, file, ...(padToken === undefined ? [] : [padToken])],
      { ...limits, env, cwd: "/" },
      (error, out, complaint) => {
        const said = parse(out);
        if (said?.facts !== undefined) resolve(said.facts);
        else reject(new Error(said?.reason ?? ended(error, complaint)));
      },
    );
  });
}

interface Said {
  readonly facts?: TokenizerFacts;
  readonly reason?: string;
}

function parse(out: string): Said | undefined {
  try {
    return JSON.parse(out) as Said;
  } catch {
    return undefined;
  }
}

function ended(
  error: { readonly killed?: boolean; readonly signal?: NodeJS.Signals | null } | null,
  complaint: string,
): string {
  if (error?.killed === true) return `did not load within ${timeoutMs / 1000} s`;
  if (typeof error?.signal === "string") return `the tokenizer crashed on it (${error.signal})`;
  return `could not be tried: ${complaint.trim().split("\n").at(-1)?.slice(0, 500) ?? "no output"}`;
}
