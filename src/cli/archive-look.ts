/** One look at an archive for the commands of `sconce archive`, under the settings that a server started here would have. */
import { inspectArchive, type Inspection } from "../archive/inspect.js";
import { resolveServe } from "../config/resolve.js";
import type { ServeConfig } from "../config/serve-config.js";
import { readTextFile } from "../config/text-file.js";
import { readBuildRecord } from "../engine/libtorch.js";
import { defaultAddonPath } from "../engine/native.js";
import { builtProbe } from "../models/prepare.js";
import type { Terminal } from "./terminal.js";

/** `flags`: "probe" is "false" for no loading, "probe-timeout" bounds it. */
export function look(path: string, flags: ReadonlyMap<string, string>, terminal: Terminal): Promise<Inspection> {
  const config = settingsHere(flags, terminal);
  const libtorch = knownLibtorch();
  const {
    python,
    installPyDepPerModel: installs,
    probeTimeoutMs,
    jobQueueSize,
    responseTimeoutMs,
    maxInstances,
  } = config;
  return inspectArchive(path, {
    probeTimeoutMs,
    ...(installs ? {} : { python }),
    ...(libtorch === undefined ? {} : { libtorch }),
    ...(flags.get("probe") === "false" ? {} : { probeProgram: builtProbe }),
    defaults: { jobQueueSize, responseTimeoutMs, maxInstances },
  });
}

/** What `--probe-timeout` and `--python` say, else the environment, else the defaults. */
export function settingsHere(flags: ReadonlyMap<string, string>, terminal: Terminal): ServeConfig {
  const words = ["probe-timeout", "python"].flatMap((name) => {
    const value = flags.get(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  return resolveServe({
    words,
    env: terminal.env,
    machine: { cores: 1, logToTerminal: false },
    readFile: readTextFile,
    // What lies about in this folder is a server's business.
    exists: () => false,
  }).config;
}

/** Of the engine that is built here, without loading it. */
function knownLibtorch(): string | undefined {
  try {
    return readBuildRecord(defaultAddonPath).version;
  } catch {
    return undefined;
  }
}
