import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkGpus, gpuOptions, libraryFor, sayGpus, watchDevices } from "../../../src/cli/gpus.js";
import type { DeviceStats, GpuPicture } from "../../../src/engine/engine.js";
import { createLog } from "../../../src/telemetry/log.js";

let lines: string[];
const log = createLog({ level: "info", format: "json", color: false, write: (line) => void lines.push(line) });
beforeEach(() => (lines = []));

const device = (index: number, changes: Partial<DeviceStats> = {}): DeviceStats => ({
  index,
  name: `cuda:${index}`,
  hardware: "H",
  architecture: "sm_90",
  totalBytes: 2,
  inService: true,
  reason: "",
  capacityBytes: 1,
  reservedBytes: 0,
  running: 0,
  waiting: 0,
  batches: 0,
  busySeconds: 0,
  splits: 0,
  models: {},
  ...changes,
});
const picture = (found: number, inUse: number, problem = ""): GpuPicture => ({
  library: "CUDA 13.0",
  driver: "13.0",
  problem,
  found,
  inUse,
});
const config = (numberOfGpu: number | undefined, compat: "torchserve" | "sconce" = "sconce") => ({
  numberOfGpu,
  compat,
  gpuConcurrency: 8,
});

test("--number-of-gpu 0 does not even look for the library", () => {
  const found = { library: "/l.so", problem: "", built: true };
  expect(libraryFor(config(0), () => expect.fail("looked"))).toMatchObject({ library: "", built: false });
  expect(
    gpuOptions(
      config(2),
      libraryFor(config(2), () => found),
    ),
  ).toEqual({
    library: "/l.so",
    problem: "",
    concurrency: 8,
    most: 2,
  });
  expect(gpuOptions(config(undefined), found)).not.toHaveProperty("most");
});

describe("what is said of what was found", () => {
  test("nothing where all is as wanted, or nobody wants any", () => {
    checkGpus(config(2), true, picture(4, 2), log);
    checkGpus(config(undefined), true, picture(4, 4), log);
    checkGpus(config(undefined), false, picture(0, 0, "not built"), log);
    expect(lines).toEqual([]);
  });

  test.each([
    [picture(0, 0, "no NVIDIA driver"), "info", "no GPU is used: no NVIDIA driver"],
    [picture(2, 0, "no kernels for cuda:0"), "warn", "no GPU is used: no kernels for cuda:0"],
    [picture(3, 1, "no kernels for cuda:1"), "warn", "only 1 of 3 GPUs are used: no kernels for cuda:1"],
  ])("%j is told as %s", (gpus, level, words) => {
    checkGpus(config(undefined), true, gpus, log);
    expect(lines.join("")).toContain(words);
    expect(lines.join("").toLowerCase()).toContain(level);
  });

  test("fewer than asked for ends the start; with --compat torchserve it is a warning", () => {
    const words = "--number-of-gpu is 4, and 2 can be used: the driver shows 2 to this process";
    expect(() => checkGpus(config(4), true, picture(2, 2), log)).toThrow(words);
    checkGpus(config(4, "torchserve"), true, picture(2, 2), log);
    expect(lines.join("")).toContain(words);
  });

  test("each device in one line", () => {
    sayGpus([device(0), device(1)], picture(2, 2), log);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain("cuda:1");
  });
});

describe("a device that is lost", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("is said once, and resolves the watch", async () => {
    let devices = [device(0), device(1)];
    const watch = watchDevices({ deviceStats: () => devices }, log);
    vi.advanceTimersByTime(1000);
    expect(lines).toEqual([]);
    devices = [device(0), device(1, { inService: false, reason: "an illegal address" })];
    vi.advanceTimersByTime(1000);
    await expect(watch.lost).resolves.toBe("cuda:1: an illegal address");
    expect(lines).toHaveLength(1);
    watch.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("without devices nothing is watched", () => {
    watchDevices({ deviceStats: () => [] }, log).close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
