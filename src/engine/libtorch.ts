/**
 * Is the libtorch that the addon will load the one it was built against? Asked before the addon is loaded, because the
 * dynamic linker would only say "undefined symbol". Reads small files; changes nothing. Any thread.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServerError } from "../errors.js";
import { buildEngine } from "../config/build-commands.js";

/** build/Release/sconce-build.json, written by native/node/CMakeLists.txt after a successful build. */
export interface BuildRecord {
  /** Folder with include/ and lib/ that the addon's search path names. */
  readonly libtorch: string;
  /** "2.13.0" */
  readonly version: string;
  readonly nodeApi: number;
  readonly compiler: string;
  readonly buildType: string;
}

/** The record beside `addonPath`. Throws ServerError internal, with what to run, when the addon was not built. */
export function readBuildRecord(addonPath: string): BuildRecord {
  const path = join(addonPath, "..", "sconce-build.json");
  if (!existsSync(addonPath) || !existsSync(path)) {
    throw new ServerError("internal", `the native engine is not built (no ${addonPath}): run ${buildEngine}`);
  }
  try {
    return JSON.parse(readFileSync(path, "utf8")) as BuildRecord;
  } catch (cause) {
    throw new ServerError("internal", `${path} cannot be read; run ${buildEngine}`, { cause });
  }
}

/**
 * "2.13.0" of a libtorch folder: version.py of a Python package, build-version of an unpacked libtorch, or the header.
 * Local parts ("+cpu") are left out. Undefined when none of them is there.
 */
export function libtorchVersion(folder: string): string | undefined {
  const read = (name: string): string | undefined => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const python = /^__version__ = ['"]([0-9.]+)/mu.exec(read("version.py") ?? "")?.[1];
  if (python !== undefined) return python;
  const unpacked = /^([0-9]+\.[0-9]+\.[0-9]+)/u.exec(read("build-version") ?? "")?.[1];
  if (unpacked !== undefined) return unpacked;
  const header = read("include/torch/headeronly/version.h") ?? "";
  const parts = ["MAJOR", "MINOR", "PATCH"].map(
    (part) => new RegExp(`#define TORCH_VERSION_${part} ([0-9]+)`, "u").exec(header)?.[1],
  );
  return parts.every((part) => part !== undefined) ? parts.join(".") : undefined;
}

/**
 * Throws ServerError internal when the libtorch that would be loaded is gone or of another version than the addon's,
 * or when LIBTORCH (`asked`) names another version: the message has both versions and the command that rebuilds.
 */
export function checkLibtorch(record: BuildRecord, asked: string | undefined): void {
  if (!existsSync(join(record.libtorch, "lib", "libtorch_cpu.so"))) {
    throw new ServerError(
      "internal",
      `libtorch ${record.version} was in ${record.libtorch} when the native engine was built and is not there any more: run ${buildEngine} to build against the one that is installed`,
    );
  }
  refuseOther(record, record.libtorch, buildEngine);
  if (asked !== undefined && asked !== "") refuseOther(record, asked, `LIBTORCH=${asked} ${buildEngine}`);
}

function refuseOther(record: BuildRecord, folder: string, command: string): void {
  const found = libtorchVersion(folder);
  if (found === undefined || found === record.version) return;
  throw new ServerError(
    "internal",
    `the native engine was built against libtorch ${record.version}, but ${folder} is libtorch ${found}: run ${command}`,
  );
}
