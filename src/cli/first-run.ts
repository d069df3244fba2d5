/**
 * A package installed with its scripts blocked has no native engine yet. The first run says what is missing and what to
 * run, asks on a terminal, and does it on a yes (or with --yes, SCONCE_YES=1).
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { buildEngine } from "../config/build-commands.js";
import { defaultAddonPath } from "../engine/native.js";
import type { Terminal } from "./terminal.js";
import { packageRoot } from "./version.js";

/** The script that finds or fetches libtorch and builds the engine; scripts/setup does more, for a clone. */
const script = "scripts/install-engine";

/** Resolves to whether the engine is there now. */
export async function ensureBuilt(terminal: Terminal, yes: boolean): Promise<boolean> {
  if (existsSync(defaultAddonPath)) return true;
  terminal.err(
    `sconce: the native engine is not built yet (no ${defaultAddonPath}).\n` +
      `It takes a C++ compiler (g++ 12), CMake 3.25, Python 3 and libtorch (fetched from PyPI when none is found), and two minutes:\n\n` +
      `  ${buildEngine}\n\n`,
  );
  if (!yes && !(terminal.interactive && (await ask("Do that now? [y/N] ")))) {
    terminal.err("Run that line, or start sconce with --yes (SCONCE_YES=1).\n");
    return false;
  }
  const code = await runScript();
  if (code === 0 && existsSync(defaultAddonPath)) return true;
  terminal.err(`sconce: ${script} ended with code ${code}; the engine is not built.\n`);
  return false;
}

async function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

/** Its words go to standard error: standard output belongs to the command's own result. */
function runScript(): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", [script], { cwd: packageRoot, stdio: ["ignore", 2, 2] });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
