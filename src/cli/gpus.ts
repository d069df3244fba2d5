/** GPUs at the start of `serve`: which library the engine gets, what is said of what it found, and which device is lost. */
import type { ServeConfig } from "../config/serve-config.js";
import { UsageError } from "../config/usage-error.js";
import { type DeviceLibrary, findDeviceLibrary } from "../engine/devices.js";
import type { DeviceStats, Engine, GpuOptions, GpuPicture } from "../engine/engine.js";
import type { Log } from "../telemetry/log.js";

type GpuConfig = Pick<ServeConfig, "numberOfGpu" | "gpuConcurrency" | "compat">;

/** `--number-of-gpu 0` looks for nothing. */
export function libraryFor({ numberOfGpu }: GpuConfig, find: () => DeviceLibrary = findDeviceLibrary): DeviceLibrary {
  return numberOfGpu === 0 ? { library: "", problem: "--number-of-gpu is 0", built: false } : find();
}

export function gpuOptions(
  { numberOfGpu, gpuConcurrency }: GpuConfig,
  { library, problem }: DeviceLibrary,
): GpuOptions {
  const most = numberOfGpu === undefined ? {} : { most: numberOfGpu };
  return { library, problem, concurrency: gpuConcurrency, ...most };
}

/**
 * Says in one line what is not as wanted. Throws UsageError when fewer GPUs can be used than --number-of-gpu names; with
 * `--compat torchserve`, where that number is the most, it is a warning.
 */
export function checkGpus(config: GpuConfig, built: boolean, gpus: GpuPicture, log: Log): void {
  const { numberOfGpu: wanted = 0, compat } = config;
  const { found, inUse, problem } = gpus;
  if (inUse < wanted) {
    const why = problem || `the driver shows ${found} to this process (CUDA_VISIBLE_DEVICES)`;
    const words = `--number-of-gpu is ${wanted}, and ${inUse} can be used: ${why}`;
    if (compat === "sconce") throw new UsageError(words);
    log.warn(words);
  } else if (problem !== "" && built) {
    // Nobody asked for one; where there is none to be had, that is as good as not built.
    const level = found > inUse ? "warn" : "info";
    log[level](`${inUse === 0 ? "no GPU is used" : `only ${inUse} of ${found} GPUs are used`}: ${problem}`);
  }
}

export function sayGpus(devices: readonly DeviceStats[], { library, driver }: GpuPicture, log: Log): void {
  for (const { name, hardware, architecture, capacityBytes } of devices) {
    log.info("gpu", { device: name, hardware, architecture, freeBytes: capacityBytes, library, driver });
  }
}

export interface DeviceWatch {
  /** Resolves with the reason when the first device is lost. */
  readonly lost: Promise<string>;
  close(): void;
}

const lookMs = 100;

/** Says of each device once that it is lost; what runs on others goes on. */
export function watchDevices(engine: Pick<Engine, "deviceStats">, log: Log): DeviceWatch {
  let resolveLost: (reason: string) => void;
  const lost = new Promise<string>((resolve) => (resolveLost = resolve));
  if (engine.deviceStats().length === 0) return { lost, close: () => undefined };
  const known = new Set<string>();
  const timer = setInterval(() => {
    for (const { name, inService, reason } of engine.deviceStats()) {
      if (inService || known.has(name)) continue;
      known.add(name);
      log.error("a device is out of service until the server is started anew", { device: name, reason });
      resolveLost(`${name}: ${reason}`);
    }
  }, lookMs);
  timer.unref();
  return { lost, close: () => clearInterval(timer) };
}
