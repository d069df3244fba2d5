/** What `sconce doctor` says of GPUs, from answers of nvidia-smi as drivers write them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  cudaOf,
  gpuChecks,
  type GpuFacts,
  instancesOf,
  leastDrivers,
  readLibrary,
} from "../../../src/cli/doctor-gpu.js";
import { buildCuda } from "../../../src/config/build-commands.js";

const h100 = "GPU-1f5c3ad6-9f0e-4a8c-8d53-7a0e5a1b2c3d";
const t4 = "GPU-77aa0f21-0d7b-4c55-9c3b-0b1d2e3f4a5b";
const mig = "MIG-5e4f2c1a-6b7d-5e8f-9a0b-1c2d3e4f5a6b";
const rows = `0, ${h100}, NVIDIA H100 80GB HBM3, 580.65.06, 81559, 1230, 9.0, Disabled\n`;
const cut = `0, ${h100}, NVIDIA H100 80GB HBM3, 580.65.06, 81559, 1230, 9.0, Enabled\n`;
const second = `1, ${t4}, Tesla T4, 580.65.06, 15360, [N/A], 7.5, [N/A]\n`;
const list = `GPU 0: NVIDIA H100 80GB HBM3 (UUID: ${h100})\nGPU 1: Tesla T4 (UUID: ${t4})\n`;
const cutList = `GPU 0: NVIDIA H100 80GB HBM3 (UUID: ${h100})\n  MIG 3g.40gb     Device  0: (UUID: ${mig})\n  MIG 1g.10gb     Device  1: (UUID: MIG-0)\nGPU 1: Tesla T4 (UUID: ${t4})\n`;
const build = { libtorch: "/opt/torch", version: "2.13.0", cuda: "13.0" };

function checks(given: Partial<GpuFacts>): readonly { name: string; status: string; found: string; fix?: string }[] {
  const usual = { driver: true, gpus: { out: rows }, list, visible: undefined, order: undefined };
  return gpuChecks({ ...usual, engine: build, library: build, ...given });
}
const of = (name: string, given: Partial<GpuFacts>) => checks(given).find((check) => check.name === name);

test("a machine without a GPU has one line", () => {
  const gpus = { out: "", absent: true, fault: "there is no nvidia-smi" };
  expect(checks({ driver: false, gpus })).toEqual([{ name: "GPU", status: "ok", found: "none" }]);
  expect(checks({ gpus })).toMatchObject([
    { status: "warn", fix: expect.stringContaining("compute,utility") as string },
  ]);
});

test("one GPU, all well", () => {
  expect(checks({})).toEqual([
    { name: "GPU driver", status: "ok", found: "580.65.06, which runs CUDA 13.0" },
    { name: "GPU 0", status: "ok", found: "NVIDIA H100 80GB HBM3, 79.6 GiB (1.2 used), compute capability 9.0" },
    { name: "visible GPUs", status: "ok", found: "all 1" },
    { name: "CUDA library", status: "ok", found: "for CUDA 13.0, libtorch 2.13.0 in /opt/torch" },
  ]);
});

test.each([
  ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure …", "modprobe nvidia"],
  ["Failed to initialize NVML: Driver/library version mismatch", "reboot"],
  ["Failed to initialize NVML: Unknown Error", "restart the container"],
  ["No devices were found", "--gpus all"],
  ["Unable to determine the device handle for GPU0000:3B:00.0: Unknown Error", "Xid"],
  ['Field "compute_cap" is not a valid field to query.', "newer driver"],
  ["no answer within 20 s", "run nvidia-smi"],
])("%s: %s", (fault, fix) => {
  expect(checks({ gpus: { out: `${fault}\n`, fault } })).toEqual([
    { name: "GPU", status: "warn", found: fault, fix: expect.stringContaining(fix) as string },
  ]);
});

test("one GPU that is lost does not hide the other", () => {
  const fault = "Unable to determine the device handle for GPU0000:3B:00.0: Unknown Error";
  const found = checks({ gpus: { out: `${rows}${fault}\n`, fault } }).map((check) => check.name);
  expect(found).toEqual(["GPU driver", "GPU 0", "GPU", "visible GPUs", "CUDA library"]);
});

describe("the driver", () => {
  test.each([
    ["535.183.01", "13.0", "warn"],
    ["580.65.06", "13.0", "ok"],
    ["535.183.01", "12.6", "ok"],
    ["470.256.02", "12.6", "warn"],
    ["580.65.06", "12.6", "ok"],
  ])("%s for CUDA %s: %s", (version, cuda, status) => {
    const gpus = { out: rows.replace("580.65.06", version) };
    const check = of("GPU driver", { gpus, library: { ...build, cuda } });
    expect(check?.status).toBe(status);
    if (status === "warn") expect(check?.fix).toContain(`driver ${leastDrivers[cuda.slice(0, 2)] ?? ""} or newer`);
  });

  test("without a CUDA build there is nothing to compare with", () => {
    const none = { engine: { ...build, cuda: undefined }, library: undefined };
    expect(of("GPU driver", none)).toEqual({ name: "GPU driver", status: "ok", found: "580.65.06" });
  });
});

describe("a device", () => {
  test("too old for CUDA 13", () => {
    const gpus = { out: rows.replace("9.0", "7.0") };
    expect(of("GPU 0", { gpus })).toMatchObject({
      status: "warn",
      fix: expect.stringContaining("7.5 and newer") as string,
    });
    expect(of("GPU 0", { gpus, library: { ...build, cuda: "12.6" } })?.status).toBe("ok");
  });

  test("instances of MIG are listed; none at all is nothing to run on", () => {
    expect(instancesOf(cutList, "0")).toEqual(["3g.40gb", "1g.10gb"]);
    expect(instancesOf(cutList, "1")).toEqual([]);
    expect(of("GPU 0", { gpus: { out: cut }, list: cutList })).toMatchObject({
      status: "ok",
      found: expect.stringMatching(/, MIG: 3g\.40gb, 1g\.10gb$/) as string,
    });
    expect(of("GPU 0", { gpus: { out: cut } })).toMatchObject({
      status: "warn",
      found: expect.stringMatching(/, MIG: no instance$/) as string,
    });
  });

  test("figures that the driver keeps to itself are left out", () => {
    expect(of("GPU 1", { gpus: { out: rows + second } })?.found).toBe("Tesla T4, 15.0 GiB, compute capability 7.5");
  });
});

describe("CUDA_VISIBLE_DEVICES", () => {
  const gpus = { out: rows + second.replace("Tesla T4", "NVIDIA H100 80GB HBM3") };
  test.each([
    ["0", "ok", /^1 /],
    ["1, 0", "ok", /^2 /],
    [h100, "ok", /^1 /],
    [h100.slice(0, 12), "ok", /^1 /],
    ["0,2,1", "warn", /^1 \(.*"2" is no GPU here/],
    ["", "warn", /^0 \(.*an empty name is no GPU here/],
    ["-1", "warn", /^0 /],
    ["GPU-", "warn", /^0 /],
    ["0,1,0", "warn", /^0 \(.*"0" is there twice/],
    [`0,${h100}`, "warn", /^0 \(.*is there twice/],
    ["0,2,0", "warn", /^1 \(.*"2" is no GPU here/],
  ])("%s: %s", (visible, status, found) => {
    expect(of("visible GPUs", { gpus, visible })).toMatchObject({
      status,
      found: expect.stringMatching(found) as string,
    });
  });

  test("an instance of MIG by its name", () => {
    expect(of("visible GPUs", { gpus: { out: cut }, list: cutList, visible: mig })?.status).toBe("ok");
    const both = `${mig},MIG-0`;
    expect(of("visible GPUs", { gpus: { out: cut }, list: cutList, visible: both })).toMatchObject({
      status: "warn",
      found: expect.stringMatching(/^1 \(.*one instance of MIG/) as string,
    });
  });

  test("unlike GPUs are numbered by speed unless told otherwise", () => {
    const unlike = { gpus: { out: rows + second } };
    expect(of("visible GPUs", unlike)).toMatchObject({
      status: "warn",
      found: expect.stringContaining("by speed") as string,
    });
    expect(of("visible GPUs", { ...unlike, order: "PCI_BUS_ID" })).toMatchObject({ status: "ok", found: "all 2" });
  });
});

describe("the CUDA library", () => {
  test("is missing, with what builds it", () => {
    expect(of("CUDA library", { library: undefined })).toMatchObject({ status: "warn", fix: buildCuda });
    const cpu = { library: undefined, engine: { ...build, cuda: undefined } };
    expect(of("CUDA library", cpu)?.fix).toMatch(/a CPU build.*set LIBTORCH.*install-engine && bash .*build-cuda$/);
  });

  test("was built for another libtorch than the engine", () => {
    const engine = { libtorch: "/cpu/torch", version: "2.13.0", cuda: undefined };
    expect(of("CUDA library", { engine })).toMatchObject({
      status: "warn",
      fix: expect.stringContaining("LIBTORCH=/opt/torch;") as string,
    });
  });

  test("is read from what its build left; CUDA's version from libtorch", () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-doctor-"));
    const [wheel, unpacked] = [join(folder, "torch"), join(folder, "libtorch")];
    for (const each of [wheel, unpacked]) mkdirSync(each);
    writeFileSync(
      join(wheel, "version.py"),
      "__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n",
    );
    writeFileSync(join(unpacked, "build-version"), "2.11.0+cu126\n");
    expect([wheel, unpacked, folder].map(cudaOf)).toEqual(["13.0", "12.6", undefined]);
    expect(readLibrary(folder)).toBeUndefined();
    writeFileSync(join(folder, "sconce-cuda.json"), JSON.stringify({ libtorch: wheel, version: "2.13.0" }));
    expect(readLibrary(folder)).toBeUndefined();
    writeFileSync(join(folder, "libsconce_cuda.so"), "");
    expect(readLibrary(folder)).toEqual({ libtorch: wheel, version: "2.13.0", cuda: "13.0" });
    rmSync(folder, { recursive: true });
  });
});
