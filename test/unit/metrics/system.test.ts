import { expect, test } from "vitest";
import { cpuPercent, memoryOf, readCpuTimes, readSystem, residentBytes } from "../../../src/metrics/system.js";

test("memory is read from the kernel's table; a table without it gives nothing", () => {
  const table =
    "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nMemAvailable: 3145728 kB\nBuffers: 0 kB\nCached: 1048576 kB\nSReclaimable: 0 kB\n";
  expect(memoryOf(table)).toEqual({ memoryPercent: 25, memoryUsedMb: 2048, memoryAvailableMb: 3072 });
  expect(memoryOf("MemTotal: 1 kB\n")).toBeUndefined();
  expect(memoryOf("")).toBeUndefined();
});

test("the CPU's share is of the time between two looks", () => {
  expect(cpuPercent({ busy: 100, total: 1000 }, { busy: 125, total: 1100 })).toBe(25);
  expect(cpuPercent({ busy: 100, total: 1000 }, { busy: 100, total: 1000 })).toBe(0);
});

test("this machine has a sample with sensible numbers", () => {
  const sample = readSystem({ busy: 0, total: 0 }, readCpuTimes());
  for (const percent of [sample?.cpuPercent, sample?.memoryPercent, sample?.diskPercent]) {
    expect(percent).toBeGreaterThanOrEqual(0);
    expect(percent).toBeLessThanOrEqual(100);
  }
  expect(sample?.memoryAvailableMb).toBeGreaterThan(1);
});

test("a process has the memory that it holds; one that is gone has none", () => {
  expect(Math.abs(residentBytes(process.pid) / process.memoryUsage.rss() - 1)).toBeLessThan(0.2);
  expect(residentBytes(2 ** 30)).toBe(0);
});
