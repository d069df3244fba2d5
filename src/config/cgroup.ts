/**
 * What this process may use: cores by cgroup quota (v2 and v1) and CPU affinity, memory by cgroup limit. Reads /proc and
 * /sys through `read`, so tests are tables. All values are snapshots; nothing is kept.
 */
import { readFileSync } from "node:fs";

/** A file's text, or undefined when it cannot be read. */
export type Read = (path: string) => string | undefined;

export interface Allowance {
  /** Whole cores, at least 1: quota rounded up, never above the affinity. */
  readonly cores: number;
  /** Why, in words. */
  readonly coresReason: string;
  /** Bytes; the machine's memory when no limit is set. */
  readonly memory: number;
  readonly memoryReason: string;
}

const readReal: Read = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** "0-3,8,10-11" → 7. */
export function countCpuList(list: string): number {
  return list
    .trim()
    .split(",")
    .filter((each) => each !== "")
    .map((each) => {
      const [from = NaN, to = from] = each.split("-").map(Number);
      return Number.isInteger(from) && Number.isInteger(to) && to >= from ? to - from + 1 : 0;
    })
    .reduce((sum, each) => sum + each, 0);
}

/** Folders from the process's own cgroup up to the root: every ancestor's limit holds. */
function chain(mount: string, path: string): string[] {
  const parts = path.split("/").filter((each) => each !== "" && each !== "..");
  const folders = parts.map((_, i) => `${mount}/${parts.slice(0, parts.length - i).join("/")}`);
  return [...folders, mount];
}

interface Places {
  readonly v2: readonly string[];
  readonly cpuV1: readonly string[];
  readonly memoryV1: readonly string[];
}

function places(read: Read): Places {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  const pathOf = (controller: string): string =>
    lines
      .find(([, names]) => (names ?? "").split(",").includes(controller))
      ?.slice(2)
      .join(":") ?? "/";
  const unified =
    lines
      .find(([id, names]) => id === "0" && names === "")
      ?.slice(2)
      .join(":") ?? "/";
  return {
    v2: chain("/sys/fs/cgroup", unified),
    cpuV1: [...chain("/sys/fs/cgroup/cpu", pathOf("cpu")), ...chain("/sys/fs/cgroup/cpu,cpuacct", pathOf("cpu"))],
    memoryV1: chain("/sys/fs/cgroup/memory", pathOf("memory")),
  };
}

/** Cores of one folder's quota; undefined when there is none. */
function quotaV2(text: string | undefined): number | undefined {
  const [quota = "", period = ""] = (text ?? "").trim().split(/\s+/);
  return /^\d+$/.test(quota) && Number(period) > 0 ? Number(quota) / Number(period) : undefined;
}

function quotaV1(read: Read, folder: string): number | undefined {
  const quota = Number(read(`${folder}/cpu.cfs_quota_us`) ?? NaN);
  const period = Number(read(`${folder}/cpu.cfs_period_us`) ?? NaN);
  return quota > 0 && period > 0 ? quota / period : undefined;
}

const least = (values: readonly (number | undefined)[]): number | undefined => {
  const known = values.filter((each) => each !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
};

function bytesOf(text: string | undefined): number | undefined {
  const value = Number((text ?? "").trim() || NaN);
  // v1 writes "no limit" as a number near 2^63.
  return value > 0 && value < 2 ** 60 ? value : undefined;
}

/** What the process may use. */
export function readAllowance(read: Read = readReal): Allowance {
  const where = places(read);
  const affinity = countCpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "") || 1;
  const quota = least([
    ...where.v2.map((folder) => quotaV2(read(`${folder}/cpu.max`))),
    ...where.cpuV1.map((folder) => quotaV1(read, folder)),
  ]);
  const limited = quota !== undefined && quota < affinity;
  const machine = Number(/^MemTotal:\s+(\d+) kB$/m.exec(read("/proc/meminfo") ?? "")?.[1] ?? 0) * 1024;
  const memory = least([
    ...where.v2.map((folder) => bytesOf(read(`${folder}/memory.max`))),
    ...where.memoryV1.map((folder) => bytesOf(read(`${folder}/memory.limit_in_bytes`))),
  ]);
  const memoryLimited = memory !== undefined && (machine === 0 || memory < machine);
  return {
    cores: limited ? Math.max(1, Math.ceil(quota)) : affinity,
    coresReason: limited ? `cgroup quota of ${Number(quota.toFixed(2))} cores` : `CPU affinity of ${affinity} cores`,
    memory: memoryLimited ? memory : machine,
    memoryReason: memoryLimited ? "cgroup limit" : "the machine's memory",
  };
}
