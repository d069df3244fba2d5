/** `sconce doctor`: looks at the machine and says what is there, what is wrong and what puts it right. Changes nothing. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { readAllowance } from "../config/cgroup.js";
import { optionRows } from "../config/options.js";
import { buildEngine } from "../config/build-commands.js";
import { defaultAddonPath } from "../engine/native.js";
import { checkGpus } from "./doctor-gpu.js";
import { exitCodes } from "./exit-codes.js";
import { paint, type Style, type Terminal } from "./terminal.js";
import { builtAgainst, packageRoot, packageVersion } from "./version.js";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
}

/** A server with fewer descriptors than this meets its own connection limit. */
const goodDescriptors = 4096;
const leastNode = [20, 17] as const;

export async function doctor(json: boolean, terminal: Terminal): Promise<number> {
  const checks: readonly Check[] = [
    { name: "sconce", status: "ok", found: packageVersion() },
    checkNode(process.version),
    checkLibtorch(),
    await checkEngine(),
    checkCpu(readFileSync("/proc/cpuinfo", "utf8")),
    ...checkAllowance(),
    checkDescriptors(readFileSync("/proc/self/limits", "utf8")),
    ...(await checkGpus()),
    ...(await Promise.all(
      [optionRows.port, optionRows.managementPort, optionRows.metricsPort].map((row) =>
        checkPort(Number(row.fallback)),
      ),
    )),
  ];
  const failed = checks.some((check) => check.status === "fail");
  if (json) terminal.out(`${JSON.stringify({ ok: !failed, checks }, null, 2)}\n`);
  else terminal.out(table(checks, terminal.colorOut));
  return failed ? exitCodes.failure : exitCodes.ok;
}

/** One line per check, its remedy below it. Pure. */
export function table(checks: readonly Check[], color: boolean): string {
  const marks: Readonly<Record<Check["status"], readonly [string, Style]>> = {
    ok: ["ok", "green"],
    warn: ["warn", "yellow"],
    fail: ["FAIL", "red"],
  };
  const width = Math.max(...checks.map((check) => check.name.length));
  const lines = checks.map(({ name, status, found, fix }) => {
    const [word, style] = marks[status];
    const head = `${paint(color, style, word.padEnd(4))}  ${name.padEnd(width)}  ${found}`;
    return fix === undefined ? head : `${head}\n${" ".repeat(width + 8)}→ ${fix}`;
  });
  return `${lines.join("\n")}\n`;
}

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
  const [wantMajor, wantMinor] = leastNode;
  const good = major > wantMajor || (major === wantMajor && minor >= wantMinor);
  const check = { name: "Node.js", found: version } as const;
  return good
    ? { ...check, status: "ok" }
    : { ...check, status: "fail", fix: `install Node.js ${wantMajor}.${wantMinor} or later` };
}

/** The one that the engine was built against, else the one that a build would take. */
function checkLibtorch(): Check {
  const name = "libtorch";
  const built = builtAgainst();
  if (built !== undefined) {
    if (existsSync(`${built.libtorch}/lib/libtorch_cpu.so`))
      return { name, status: "ok", found: `${built.version} in ${built.libtorch}` };
    return {
      name,
      status: "fail",
      found: `was ${built.version} in ${built.libtorch}, and is gone`,
      fix: buildEngine,
    };
  }
  const ran = spawnSync("bash", ["scripts/find-libtorch"], { cwd: packageRoot, encoding: "utf8" });
  if (ran.status === 0) return { name, status: "ok", found: ran.stdout.trim() };
  const fix = `${buildEngine} fetches one, or uses LIBTORCH=… (an unpacked libtorch 2.11 to 2.14)`;
  return { name, status: "fail", found: "none found", fix };
}

/** Loads the addon in a process of its own: one that crashes must not take the doctor with it. */
async function checkEngine(): Promise<Check> {
  const name = "engine";
  if (!existsSync(defaultAddonPath)) return { name, status: "fail", found: "not built", fix: buildEngine };
  const module = new URL("../engine/native.js", import.meta.url).href;
  const options = "{cores: 1, loadParallelism: 1, latencyBuckets: [1], maxDecodedBytes: 1024}";
  const program = `import(${JSON.stringify(module)}).then((m) => console.log(JSON.stringify(m.openEngine(${options}).info())), (e) => { console.error(e.message); process.exitCode = 1; })`;
  const ran = spawnSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 60_000 });
  if (ran.status !== 0) {
    const found = ran.stderr.trim().split("\n").at(-1) || `ended with ${ran.signal ?? ran.status ?? "an error"}`;
    return Promise.resolve({ name, status: "fail", found, fix: buildEngine });
  }
  const info = JSON.parse(ran.stdout) as {
    builtAgainst: string;
    libtorch: string;
    cuda: boolean;
    cpuCapability: string;
  };
  const found = `libtorch ${info.libtorch} (built against ${info.builtAgainst}), ${info.cuda ? "CUDA" : "CPU"} build, kernels for ${info.cpuCapability}`;
  return { name, status: "ok", found };
}

export function checkCpu(cpuinfo: string): Check {
  const model = /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "unknown";
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "").split(" "));
  const features = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"].filter((each) =>
    flags.has(each),
  );
  const found = `${model} (${features.join(" ") || "none of AVX2, AVX-512, AMX"})`;
  if (flags.has("avx2")) return { name: "CPU", status: "ok", found };
  return {
    name: "CPU",
    status: "warn",
    found,
    fix: "libtorch is several times slower without AVX2; use another kind of machine",
  };
}

function checkAllowance(): readonly Check[] {
  const { cores, coresReason, memory, memoryReason } = readAllowance();
  const gib = (memory / 1024 ** 3).toFixed(1);
  return [
    { name: "cores", status: "ok", found: `${cores} (${coresReason})` },
    {
      name: "memory",
      status: memory < 1024 ** 3 ? "warn" : "ok",
      found: `${gib} GiB (${memoryReason})`,
      ...(memory < 1024 ** 3 ? { fix: "libtorch alone takes some 300 MiB; give it more" } : {}),
    },
  ];
}

export function checkDescriptors(limits: string): Check {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? "unknown";
  const few = soft !== "unlimited" && Number(soft) < goodDescriptors;
  const check = { name: "open files", found: soft } as const;
  return few
    ? { ...check, status: "warn", fix: `ulimit -n ${goodDescriptors} (each connection takes one)` }
    : { ...check, status: "ok" };
}

async function checkPort(port: number): Promise<Check> {
  const name = `port ${port}`;
  const server = createServer();
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(undefined));
  });
  if (error === undefined) {
    await new Promise((resolve) => server.close(resolve));
    return { name, status: "ok", found: "free" };
  }
  const found = error.code === "EADDRINUSE" ? "taken (by a running sconce?)" : error.message;
  return {
    name,
    status: "warn",
    found,
    fix: "stop what holds it, or choose others with --port, --management-port, --metrics-port",
  };
}
