/**
 * Which device library the engine is started with. Asked before the addon is loaded: libtorch looks for CUDA once, at its
 * first use, and a library of another libtorch would only say "undefined symbol". Reads small files; changes nothing.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { buildCuda, buildEngine } from "../config/build-commands.js";
import { type BuildRecord, readBuildRecord } from "./libtorch.js";
import { defaultAddonPath } from "./native.js";

/** build/Release/sconce-cuda.json, written by native/cuda/CMakeLists.txt. */
interface CudaRecord {
  readonly libtorch: string;
  readonly version: string;
  /** A file of libtorch that has to be there, below its folder. */
  readonly needs: string;
}

export interface DeviceLibrary {
  /** "": models run on the CPU, for the reason in `problem`. */
  readonly library: string;
  readonly problem: string;
  /** It was built, so that somebody expects it to be used. */
  readonly built: boolean;
}

export function findDeviceLibrary(addonPath: string = defaultAddonPath): DeviceLibrary {
  const library = join(addonPath, "..", "libsconce_cuda.so");
  const recordPath = join(addonPath, "..", "sconce-cuda.json");
  if (!existsSync(library) || !existsSync(recordPath)) {
    return {
      library: "",
      problem: `its CUDA library is not built (${buildCuda}, with a CUDA build of libtorch)`,
      built: false,
    };
  }
  let record: CudaRecord;
  try {
    record = JSON.parse(readFileSync(recordPath, "utf8")) as CudaRecord;
  } catch {
    return { library: "", problem: `${recordPath} cannot be read: run ${buildCuda}`, built: true };
  }
  const problem = mismatch(readBuildRecord(addonPath), record);
  return problem === undefined ? { library, problem: "", built: true } : { library: "", problem, built: true };
}

/** Why the addon and the CUDA library cannot share a process. */
function mismatch(addon: BuildRecord, cuda: CudaRecord): string | undefined {
  if (addon.version !== cuda.version) {
    return `the CUDA library was built against libtorch ${cuda.version} and the engine against ${addon.version}: run LIBTORCH=${addon.libtorch} ${buildCuda}`;
  }
  if (!existsSync(join(addon.libtorch, cuda.needs))) {
    return `libtorch ${addon.version} in ${addon.libtorch} is a build for the CPU (it has no ${cuda.needs}): build the engine and the CUDA library against a CUDA build, LIBTORCH=${cuda.libtorch} ${buildEngine}`;
  }
  if (folderOf(addon.libtorch) !== folderOf(cuda.libtorch)) {
    return `the CUDA library was built against the libtorch in ${cuda.libtorch} and the engine against ${addon.libtorch}: run LIBTORCH=${addon.libtorch} ${buildCuda}`;
  }
  return undefined;
}

function folderOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
