/** `sconce version`, and what it knows. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

/** The package's folder: two up from both src/cli and dist/cli. Ends with a slash. */
export const packageRoot = fileURLToPath(new URL("../../", import.meta.url));
export const addonPath = `${packageRoot}build/Release/sconce.node`;

export function packageVersion(): string {
  const parsed = JSON.parse(readFileSync(`${packageRoot}package.json`, "utf8")) as { readonly version: string };
  return parsed.version;
}

/** What the addon was built against; undefined when it was not built. */
export function builtAgainst(): { readonly libtorch: string; readonly version: string } | undefined {
  const path = `${packageRoot}build/Release/sconce-build.json`;
  if (!existsSync(addonPath) || !existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { libtorch: string; version: string };
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
