import { describe, expect, test } from "vitest";
import { countCpuList, readAllowance } from "../../../src/config/cgroup.js";

const gib = 1024 ** 3;
function allowance(files: Record<string, string>) {
  const base = {
    "/proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0-7\n",
    "/proc/meminfo": "MemTotal:  16777216 kB\n",
  };
  const all: Record<string, string | undefined> = { ...base, ...files };
  return readAllowance((path) => all[path]);
}

test.each([
  ["0-3,8,10-11", 7],
  ["0", 1],
  ["", 0],
  ["3-1", 0],
  ["junk", 0],
])("countCpuList(%j) is %i", (list, count) => expect(countCpuList(list)).toBe(count));

describe("readAllowance", () => {
  test("without limits: affinity and the machine's memory", () => {
    expect(allowance({})).toEqual({
      cores: 8,
      coresReason: "CPU affinity of 8 cores",
      memory: 16 * gib,
      memoryReason: "the machine's memory",
    });
  });

  test.each([
    ["200000 100000", 2],
    ["150000 100000", 2],
    ["50000 100000", 1],
    ["max 100000", 8],
    ["1600000 100000", 8],
    ["garbage", 8],
  ])("v2 cpu.max %j: %i cores", (text, cores) => {
    expect(allowance({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": text }).cores).toBe(cores);
  });

  test("v2: the tightest of all ancestors holds", () => {
    const files = {
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/cpu.max": "400000 100000",
      "/sys/fs/cgroup/a/cpu.max": "300000 100000",
      "/sys/fs/cgroup/a/b/memory.max": "max",
      "/sys/fs/cgroup/a/memory.max": String(2 * gib),
    };
    expect(allowance(files)).toMatchObject({ cores: 3, memory: 2 * gib, memoryReason: "cgroup limit" });
  });

  test("v1: quota and limit, whose absence is a huge number", () => {
    const files = {
      "/proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n",
      "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "250000\n",
      "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "9223372036854771712\n",
    };
    expect(allowance(files)).toMatchObject({ cores: 3, memory: 16 * gib });
    const limited = { ...files, "/sys/fs/cgroup/memory/memory.limit_in_bytes": String(gib) };
    expect(allowance(limited).memory).toBe(gib);
    expect(allowance({ ...files, "/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "-1\n" }).cores).toBe(8);
  });

  test("on this machine: something usable", () => {
    const real = readAllowance();
    expect(real.cores).toBeGreaterThanOrEqual(1);
    expect(real.memory).toBeGreaterThan(0);
  });
});
