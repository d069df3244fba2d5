/** One look at an archive for the commands of `sconce archive`, under the settings that a server started here would have. */
import { inspectArchive, type Inspection } from "../archive/inspect.js";
import { resolveServe } from "../config/resolve.js";
import { readTextFile } from "../config/text-file.js";
import { readBuildRecord } from "../engine/libtorch.js";
import { defaultAddonPath } from "../engine/native.js";
import { builtProbe } from "../models/prepare.js";
import type { Terminal } from "./terminal.js";

/** `flags`: "probe" is "false" for no loading, "probe-timeout" bounds it. */
export function look(path: string, flags: ReadonlyMap<string, string>, terminal: Terminal): Promise<Inspection> {
  const timeout = flags.get("probe-timeout");
  const { config } = resolveServe({
    words: timeout === undefined ? [] : ["--probe-timeout", timeout],
    env: terminal.env,
    machine: { cores: 1, logToTerminal: false },
    readFile: readTextFile,
    // What lies about in this folder is a server's business.
    exists: () => false,
  });
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

/** Of the engine that is built here, without loading it. */
function knownLibtorch(): string | undefined {
  try {
    return readBuildRecord(defaultAddonPath).version;
  } catch {
    return undefined;
  }
}
