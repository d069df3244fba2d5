// Where a result was measured.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

function first(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trim()
      .split("\n")[0];
  } catch (error) {
    return (
      String(error.stdout ?? "")
        .trim()
        .split("\n")[0] || "unknown"
    );
  }
}

function libtorchBuild(libtorch) {
  const file = `${libtorch}/version.py`;
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const version = /__version__ = '([^']+)'/.exec(text)?.[1];
  return (
    version ??
    (existsSync(`${libtorch}/build-version`) ? readFileSync(`${libtorch}/build-version`, "utf8").trim() : "unknown")
  );
}

export function describeMachine(libtorch) {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    features: ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"].filter((each) =>
      flags.includes(` ${each}`),
    ),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: first("git", ["rev-parse", "--short=12", "HEAD"]),
    dirty: first("git", ["status", "--porcelain", "--untracked-files=no"]) !== "",
    libtorch: libtorchBuild(libtorch),
    loadGenerator: first("wrk", ["-v"]),
    date: new Date().toISOString(),
  };
}
