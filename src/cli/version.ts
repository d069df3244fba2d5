/** `sconce version`, and what it knows. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readBuildRecord, type BuildRecord } from "../engine/libtorch.js";
import { defaultAddonPath } from "../engine/native.js";
import { exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

/** The package's folder: two up from both src/cli and dist/cli. Ends with a slash. */
export const packageRoot = fileURLToPath(new URL("../../", import.meta.url));

export function packageVersion(): string {
  const parsed = JSON.parse(readFileSync(`${packageRoot}package.json`, "utf8")) as { readonly version: string };
  return parsed.version;
}

/** What the addon was built against; undefined when it was not built. */
export function builtAgainst(): BuildRecord | undefined {
  try {
    return readBuildRecord(defaultAddonPath);
  } catch {
    return undefined;
  }
}

export function version(json: boolean, terminal: Terminal): number {
  const found = { sconce: packageVersion(), node: process.version.slice(1), libtorch: builtAgainst()?.version ?? null };
  if (json) terminal.out(`${JSON.stringify(found)}\n`);
  else terminal.out(`sconce ${found.sconce} (node ${found.node}, libtorch ${found.libtorch ?? "not built yet"})\n`);
  return exitCodes.ok;
}
