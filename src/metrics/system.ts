/**
 * What the machine does, as TorchServe's system metrics count it: the whole machine's CPU, memory and root file system,
 * not the cgroup's share. Main thread; one sample takes some ten microseconds.
 */

import { readFileSync, statfsSync } from "node:fs";
import { cpus } from "node:os";

/** Percent, megabytes (2^20) and gigabytes (2^30), as TorchServe's collector gives them. */
export interface SystemSample {
  /** Since the sample before; 0 in the first. */
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly memoryUsedMb: number;
  readonly memoryAvailableMb: number;
  readonly diskPercent: number;
  readonly diskUsedGb: number;
  readonly diskAvailableGb: number;
}

/** Milliseconds since boot, all processors together. */
export interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

export function readCpuTimes(): CpuTimes {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    busy += all - times.idle;
    total += all;
  }
  return { busy, total };
}

export function cpuPercent(before: CpuTimes, now: CpuTimes): number {
  const total = now.total - before.total;
  return total > 0 ? oneDigit((100 * (now.busy - before.busy)) / total) : 0;
}

/** `text`: /proc/meminfo. What is neither available nor free counts as used. */
export function memoryOf(
  text: string,
): Pick<SystemSample, "memoryPercent" | "memoryUsedMb" | "memoryAvailableMb"> | undefined {
  const kib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? NaN);
  const total = kib("MemTotal") * 1024;
  const available = kib("MemAvailable") * 1024;
  const used = total - (kib("MemFree") + kib("Buffers") + kib("Cached") + kib("SReclaimable")) * 1024;
  if (!(total > 0) || !Number.isFinite(available) || !Number.isFinite(used)) return undefined;
  return {
    memoryPercent: oneDigit((100 * (total - available)) / total),
    memoryUsedMb: Math.max(0, used / MiB),
    memoryAvailableMb: available / MiB,
  };
}

/** Undefined where the machine does not say. `before`: the CPU times of the sample before. */
export function readSystem(before: CpuTimes, now: CpuTimes): SystemSample | undefined {
  try {
    const memory = memoryOf(readFileSync("/proc/meminfo", "latin1"));
    if (memory === undefined) return undefined;
    const { bsize, blocks, bfree, bavail } = statfsSync("/");
    const used = (blocks - bfree) * bsize;
    const available = bavail * bsize;
    return {
      cpuPercent: cpuPercent(before, now),
      ...memory,
      diskPercent: used + available > 0 ? oneDigit((100 * used) / (used + available)) : 0,
      diskUsedGb: used / GiB,
      diskAvailableGb: available / GiB,
    };
  } catch {
    return undefined;
  }
}

/** Memory that a process has now, bytes (VmRSS); 0: it is gone, or the machine does not say. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function oneDigit(value: number): number {
  return Math.round(value * 10) / 10;
}
