/** Answers of nvidia-smi as drivers 535 to 580 write them, by a program of that name in a folder of the test's own. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHttpState, HttpState } from "../../../src/metrics/http-counters.js";
import { askGpuTool, gpuQuery, gpuRows, gpuSamples, GpuWatch, type ToolAnswer } from "../../../src/metrics/gpus.js";
import type { Snapshot } from "../../../src/metrics/samples.js";
import { torchserveReaders } from "../../../src/metrics/torchserve.js";
import { Windows } from "../../../src/metrics/window.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sconce-gpus-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const one = "0, 37, 12345, 81559\n";
const two = "0, 37, 12345, 81559\n1, 0, 4, 81559\n";
/** The first GPU is cut into MIG instances: its utilisation is not known to the driver. */
const mig = "0, [N/A], 87, 40960\n1, 100, 40000, 40960\n";
/** A container that was given one instance may not even ask for its parent's memory. */
const slice = "0, [N/A], [Insufficient Permissions], [Insufficient Permissions]\n";
const vanished =
  "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n";

function tool(script: string): string {
  const path = join(folder, "nvidia-smi");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("the tool is asked for lines of figures, and its words for them are understood", async () => {
  const path = tool(`[ "$1 $2" = "--query-gpu=index,name --format=csv,noheader,nounits" ] && echo "0, Tesla T4"`);
  const { out, fault } = await askGpuTool(gpuQuery(["index", "name"]), path);
  expect(fault).toBeUndefined();
  expect(gpuRows(out, ["index", "name"])).toEqual([{ index: "0", name: "Tesla T4" }]);
});

test("what goes wrong is one line of the tool's, wherever it writes it", async () => {
  const failed = await askGpuTool([], tool(`printf '%s' "${vanished}"; exit 9`));
  expect(failed.fault).toMatch(/^NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver\./);
  const half = await askGpuTool([], tool(`echo "0, 37, 1, 2"; echo "GPU is lost" >&2; exit 15`));
  expect(half).toEqual({ out: "0, 37, 1, 2\n", fault: "GPU is lost" });
  expect(await askGpuTool([], join(folder, "none"))).toMatchObject({ absent: true, out: "" });
});

test.each([
  ["one GPU", one, [[0, 37, 12345, 81559]]],
  ["two", two, [[0, 37, 12345, 81559], [1, 0, 4, 81559]]], // prettier-ignore
  ["MIG", mig, [[0, undefined, 87, 40960], [1, 100, 40000, 40960]]], // prettier-ignore
  ["an instance of MIG", slice, [[0, undefined, undefined, undefined]]],
  ["no driver", vanished, []],
  ["nothing", "", []],
])("%s: figures where the driver has them", (_, out, expected) => {
  const cells = gpuSamples(out).map((gpu) => [gpu.index, gpu.utilization, gpu.memoryUsed, gpu.memoryTotal]);
  expect(cells).toEqual(expected);
});

/** A watch whose next answers the test gives, and what it said of changes. */
function watching() {
  const said: (string | undefined)[] = [];
  let answer: ((answer: ToolAnswer) => void) | undefined;
  let asked = 0;
  const watch = new GpuWatch(
    (fault) => said.push(fault),
    () => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    },
  );
  const hear = async (given: ToolAnswer): Promise<void> => {
    const looked = watch.look();
    answer?.(given);
    await looked;
  };
  return { watch, said, hear, asked: () => asked };
}

test("a driver that vanishes while serving takes its figures along, says so once, and may come back", async () => {
  const { watch, said, hear } = watching();
  await hear({ out: two });
  expect(watch.current).toHaveLength(2);
  await hear({ out: vanished, fault: "gone" });
  await hear({ out: vanished, fault: "gone" });
  expect(watch.current).toEqual([]);
  expect(said).toEqual(["gone"]);
  await hear({ out: one });
  expect(watch.current).toHaveLength(1);
  await hear({ out: "", fault: "there is no nvidia-smi", absent: true });
  expect(said).toEqual(["gone", undefined, "there is no nvidia-smi"]);
});

test("a tool that hangs is not asked again, and its old figures are not shown", async () => {
  const { watch, said, hear, asked } = watching();
  await hear({ out: one });
  const hanging = watch.look();
  expect(watch.current).toHaveLength(1);
  const second = watch.look();
  expect(watch.current).toEqual([]);
  expect(asked()).toBe(2);
  expect(said).toHaveLength(1);
  await hear({ out: one });
  await Promise.all([hanging, second]);
  expect(watch.current).toHaveLength(1);
  expect(said).toHaveLength(2);
});

test("a machine without the tool is asked once, and nothing is said", async () => {
  const { watch, said, hear, asked } = watching();
  await hear({ out: "", fault: "none", absent: true });
  await watch.look();
  expect(asked()).toBe(1);
  expect(said).toEqual([]);
});

test("TorchServe's metrics have a GPU's figures by its number, and none that the driver does not give", async () => {
  const watch = new GpuWatch(
    () => undefined,
    () => Promise.resolve({ out: mig }),
  );
  const windows = new Windows({ stats: () => [], intervalMs: 60_000, system: true, gpus: watch });
  await watch.look();
  windows.close();
  const http = new HttpState(createHttpState(1), 0);
  const snapshot = { hostname: "h", http, window: windows.current } as unknown as Snapshot;
  const labels = (id: string) => ({ Level: "Host", DeviceId: id, Hostname: "h" });
  expect(torchserveReaders.GPUUtilization(snapshot)).toEqual([{ labels: labels("1"), value: 100 }]);
  expect(torchserveReaders.GPUMemoryUsed(snapshot)).toEqual([
    { labels: labels("0"), value: 87 },
    { labels: labels("1"), value: 40000 },
  ]);
  expect(torchserveReaders.GPUMemoryUtilization(snapshot)).toEqual([
    { labels: labels("0"), value: 0.2 },
    { labels: labels("1"), value: 97.7 },
  ]);
  const off = new Windows({ stats: () => [], intervalMs: 60_000, system: false, gpus: watch });
  off.close();
  expect(off.current.gpus).toEqual([]);
});
