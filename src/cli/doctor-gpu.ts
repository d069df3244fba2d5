/** The GPU part of `sconce doctor`: driver, devices, what of them a server sees, and the library that models run on them by. */
import { existsSync, readFileSync } from "node:fs";
import { buildCuda, buildEngine } from "../config/build-commands.js";
import { askGpuTool, figure, gpuQuery, gpuRows, gpuTool, type ToolAnswer } from "../metrics/gpus.js";
import { builtAgainst, packageRoot } from "./version.js";
import type { Check } from "./doctor.js";

const asked = ["index", "uuid", "name", "driver_version", "memory.total", "memory.used", "compute_cap", "mig.mode.current"] as const; // prettier-ignore

type GpuRow = Readonly<Record<(typeof asked)[number], string>>;

/** What a build record says of a libtorch; `cuda` is "13.0", or undefined for a CPU build. */
export interface LibtorchFacts {
  readonly libtorch: string;
  readonly version: string;
  readonly cuda: string | undefined;
}

export interface GpuFacts {
  /** The kernel has NVIDIA's driver, or the container its devices. */
  readonly driver: boolean;
  /** The answer about `asked`. */
  readonly gpus: ToolAnswer;
  /** `nvidia-smi -L`, which lists the instances of MIG. */
  readonly list: string;
  /** CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER. */
  readonly visible: string | undefined;
  readonly order: string | undefined;
  /** What the engine was built against, and what the CUDA library was. */
  readonly engine: LibtorchFacts | undefined;
  readonly library: LibtorchFacts | undefined;
}

export async function checkGpus(): Promise<readonly Check[]> {
  const [gpus, list] = await Promise.all([askGpuTool(gpuQuery(asked)), askGpuTool(["-L"])]);
  const engine = builtAgainst();
  return gpuChecks({
    driver: existsSync("/proc/driver/nvidia/version") || existsSync("/dev/nvidiactl"),
    gpus,
    list: list.out,
    visible: process.env["CUDA_VISIBLE_DEVICES"],
    order: process.env["CUDA_DEVICE_ORDER"],
    engine: engine && { ...engine, cuda: cudaOf(engine.libtorch) },
    library: readLibrary(`${packageRoot}build/Release`),
  });
}

/** libsconce_cuda.so in `folder`, by the record that its build leaves there. */
export function readLibrary(folder: string): LibtorchFacts | undefined {
  if (!existsSync(`${folder}/libsconce_cuda.so`) || !existsSync(`${folder}/sconce-cuda.json`)) return undefined;
  const record = JSON.parse(readFileSync(`${folder}/sconce-cuda.json`, "utf8")) as {
    libtorch: string;
    version: string;
  };
  return { ...record, cuda: cudaOf(record.libtorch) };
}

/** "13.0" of a libtorch folder: version.py of a Python package, build-version ("2.13.0+cu130") of an unpacked libtorch. */
export function cudaOf(libtorch: string): string | undefined {
  const read = (name: string): string =>
    existsSync(`${libtorch}/${name}`) ? readFileSync(`${libtorch}/${name}`, "utf8") : "";
  const python = /^cuda\b[^=]*= '([\d.]+)'/mu.exec(read("version.py"))?.[1];
  const [, major, minor] = /\+cu(\d+)(\d)\b/u.exec(read("build-version")) ?? [];
  return python ?? (major === undefined ? undefined : `${major}.${minor ?? "0"}`);
}

/** Nothing but "none" where there is no GPU. Pure. */
export function gpuChecks(facts: GpuFacts): readonly Check[] {
  const rows = gpuRows(facts.gpus.out, asked).filter((row) => figure(row.index) !== undefined);
  const { fault } = facts.gpus;
  if (!facts.driver && facts.gpus.absent === true) return [{ name: "GPU", status: "ok", found: "none" }];
  const troubled: readonly Check[] =
    fault === undefined ? [] : [{ name: "GPU", status: "warn", found: fault, fix: remedy(fault, facts) }];
  const [first] = rows;
  if (first === undefined) return troubled;
  return [
    checkDriver(first.driver_version, facts.library ?? facts.engine),
    ...rows.map((row) => checkDevice(row, facts)),
    ...troubled,
    checkVisible(facts, rows),
    checkLibrary(facts),
  ];
}

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /couldn't communicate with the NVIDIA driver/,
    "load the driver (modprobe nvidia); after a new kernel, install the driver anew",
  ],
  [/version mismatch/, "the driver was updated while it was loaded: reboot"],
  [
    /Failed to initialize NVML: Unknown Error/,
    "in a container whose devices were taken away: restart the container (docs/gpu.md)",
  ],
  [/No devices were found/, "look into dmesg for NVRM and Xid; a container is started with --gpus all"],
  [
    /is lost|fallen off the bus|Unable to determine the device handle/,
    "a GPU does not answer any more: look into dmesg for Xid, reboot",
  ],
  [/not a valid field/, "install a newer driver"],
];

function remedy(fault: string, { gpus }: GpuFacts): string {
  if (gpus.absent === true)
    return "install nvidia-smi with the driver; in a container, NVIDIA_DRIVER_CAPABILITIES=compute,utility";
  return remedies.find(([pattern]) => pattern.test(fault))?.[1] ?? `run ${gpuTool}`;
}

/**
 * CUDA's major version → the least driver that runs it.
 * https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
 */
export const leastDrivers: Readonly<Record<string, number>> = { "11": 450, "12": 525, "13": 580 };
/** CUDA 13 has no code for what is older than Turing (its release notes). */
const leastCapability: Readonly<Record<string, number>> = { "13": 7.5 };

const majorOf = (version: string): string => version.split(".")[0] ?? "";

function checkDriver(version: string, libtorch: LibtorchFacts | undefined): Check {
  const name = "GPU driver";
  const cuda = libtorch?.cuda;
  const least = cuda === undefined ? undefined : leastDrivers[majorOf(cuda)];
  if (cuda === undefined || least === undefined || Number(majorOf(version)) >= least)
    return { name, status: "ok", found: cuda === undefined ? version : `${version}, which runs CUDA ${cuda}` };
  const found = `${version}, too old for libtorch's CUDA ${cuda}`;
  return {
    name,
    status: "warn",
    found,
    fix: `install driver ${least} or newer, or a libtorch built for an older CUDA`,
  };
}

function checkDevice(row: GpuRow, { list, library, engine }: GpuFacts): Check {
  const name = `GPU ${row.index}`;
  const [total, used] = [figure(row["memory.total"]), figure(row["memory.used"])];
  const memory = total === undefined ? [] : [`${gib(total)} GiB${used === undefined ? "" : ` (${gib(used)} used)`}`];
  const capability = figure(row.compute_cap);
  const instances = row["mig.mode.current"] === "Enabled" ? instancesOf(list, row.index) : undefined;
  const mig = instances === undefined ? [] : [`MIG: ${instances.join(", ") || "no instance"}`];
  const found = [
    row.name,
    ...memory,
    ...(capability === undefined ? [] : [`compute capability ${row.compute_cap}`]),
    ...mig,
  ].join(", ");
  const cuda = (library ?? engine)?.cuda;
  const least = cuda === undefined ? undefined : leastCapability[majorOf(cuda)];
  if (least !== undefined && capability !== undefined && capability < least)
    return {
      name,
      status: "warn",
      found,
      fix: `CUDA ${cuda ?? ""} runs on ${least} and newer: use a libtorch built for CUDA 12`,
    };
  if (instances?.length === 0)
    return {
      name,
      status: "warn",
      found,
      fix: "make instances (nvidia-smi mig -cgi PROFILE -C) or switch MIG off (nvidia-smi -mig 0)",
    };
  return { name, status: "ok", found };
}

const gib = (mebibytes: number): string => (mebibytes / 1024).toFixed(1);

/** The profiles of a GPU's instances, "3g.20gb", from the list's lines below it. */
export function instancesOf(list: string, index: string): readonly string[] {
  const [, below = ""] = new RegExp(`^GPU ${index}:.*\n((?:\\s+MIG .*\n?)*)`, "m").exec(list) ?? [];
  return [...below.matchAll(/^\s+MIG (\S+)/gm)].map(([, profile = ""]) => profile);
}

function checkVisible({ visible, order, list }: GpuFacts, rows: readonly GpuRow[]): Check {
  const name = "visible GPUs";
  const unlike = new Set(rows.map((row) => row.name)).size > 1 && order !== "PCI_BUS_ID";
  const numbered = unlike ? "; CUDA numbers them by speed, not as here" : "";
  const fix = "set CUDA_DEVICE_ORDER=PCI_BUS_ID, so that a device id means what nvidia-smi shows";
  const check = { name, ...(unlike ? ({ status: "warn", fix } as const) : ({ status: "ok" } as const)) };
  if (visible === undefined) return { ...check, found: `all ${rows.length}${numbered}` };
  const names = visible.split(",").map((each) => each.trim());
  const fault = listFault(names, rows, list);
  if (fault === undefined) return { ...check, found: `${names.length} (CUDA_VISIBLE_DEVICES=${visible})${numbered}` };
  const found = `${fault.count} (CUDA_VISIBLE_DEVICES=${visible}: ${fault.why})`;
  return { name, status: "warn", found, fix: fault.fix };
}

/** Why CUDA does not take all of the list: it ends at a bad name, behind an instance of MIG, and is nothing with a GPU twice. */
function listFault(
  names: readonly string[],
  rows: readonly GpuRow[],
  list: string,
): { readonly count: number; readonly why: string; readonly fix: string } | undefined {
  const ids = [...list.matchAll(/\(UUID: ([^)]+)\)/g)].map(([, id = ""]) => id);
  const meant = names.map((each) => gpuOf(each, rows, ids));
  const bad = meant.indexOf(undefined);
  const good = bad === -1 ? meant : meant.slice(0, bad);
  const twice = good.findIndex((each, at) => good.indexOf(each) !== at);
  const word = (at: number): string => (names[at] === "" ? "an empty name" : `"${names[at] ?? ""}"`);
  if (twice !== -1)
    return { count: 0, why: `${word(twice)} is there twice, and then no GPU counts`, fix: "name each GPU once" };
  if (good.length > 1 && good[0]?.startsWith("MIG-") === true)
    return { count: 1, why: "a process sees one instance of MIG", fix: "start one server per instance (docs/gpu.md)" };
  if (bad === -1) return undefined;
  return {
    count: bad,
    why: `${word(bad)} is no GPU here, and nothing after it counts`,
    fix: "name GPUs by number or UUID (nvidia-smi -L), or unset it",
  };
}

/** The UUID or number of the one GPU or instance that a word of CUDA_VISIBLE_DEVICES means: a number, or how a UUID begins. */
function gpuOf(word: string, rows: readonly GpuRow[], ids: readonly string[]): string | undefined {
  const row = rows.find(({ index, uuid }) => word === index || word === uuid);
  if (row !== undefined) return row.uuid;
  const meant = ids.filter((id) => word.length > 4 && id.startsWith(word));
  return meant.length === 1 ? meant[0] : undefined;
}

function checkLibrary({ engine, library }: GpuFacts): Check {
  const name = "CUDA library";
  if (library === undefined) {
    const cpu = engine !== undefined && engine.cuda === undefined;
    const first = cpu
      ? `the engine's libtorch is a CPU build: install a CUDA build, set LIBTORCH to it, ${buildEngine} && `
      : "";
    return { name, status: "warn", found: "not built: models run on the CPU", fix: `${first}${buildCuda}` };
  }
  const found = `for CUDA ${library.cuda ?? "of an unknown version"}, libtorch ${library.version} in ${library.libtorch}`;
  if (engine === undefined || engine.libtorch === library.libtorch) return { name, status: "ok", found };
  return {
    name,
    status: "warn",
    found: `${found}; the engine's is ${engine.version} in ${engine.libtorch}`,
    fix: `build both against one: export LIBTORCH=${(engine.cuda === undefined ? library : engine).libtorch}; ${buildEngine} && ${buildCuda}`,
  };
}
