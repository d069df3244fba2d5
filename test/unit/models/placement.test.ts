import { describe, expect, test } from "vitest";
import type { GpuPicture } from "../../../src/engine/engine.js";
import { placed } from "../../../src/models/placement.js";
import type { ModelSpec } from "../../../src/types.js";

const picture = (inUse: number, problem = ""): GpuPicture => ({
  library: "",
  driver: "",
  problem,
  found: inUse,
  inUse,
});
const two = picture(2);
const none = picture(0, "no NVIDIA driver");

const base: ModelSpec = {
  name: "m",
  version: "1.0",
  artifact: "/m.pt",
  kind: "torchscript",
  sha256: "",
  signature: { declared: false, inputs: [], outputs: [] },
  handler: { name: "base_handler", topK: 5 },
  maxBatchDelayMs: 0,
  jobQueueSize: 1,
  responseTimeoutMs: 1,
  instances: 2,
  executor: "auto",
  stateful: false,
  maxInstances: 1,
  source: "m.mar",
};

describe("where a model is loaded", () => {
  const everywhere = { ids: [], instances: 2, priority: "normal" };
  test.each<[string, Partial<ModelSpec>, GpuPicture, ModelSpec["gpu"] | undefined]>([
    ["nothing said, no GPU", {}, none, undefined],
    ["nothing said, GPUs", {}, two, everywhere as never],
    ["cpu", { deviceType: "cpu" }, two, undefined],
    ["gpu", { deviceType: "gpu", priority: "high" }, two, { ids: [], instances: 2, priority: "high" }],
    ["ids alone", { deviceIds: [1] }, two, { ids: [1], instances: 2, priority: "normal" }],
    ["room to grow", { maxWorkers: 4 }, two, { ids: [], instances: 4, priority: "normal" }],
    ["compiled, nothing said", { kind: "aotinductor" }, two, undefined],
    ["compiled for CUDA", { kind: "aotinductor", deviceType: "gpu" }, two, everywhere as never],
    ["inline", { executor: "inline" }, two, undefined],
    ["Python, nothing said", { kind: "python" }, two, undefined],
  ])("%s", (_, said, gpus, gpu) => {
    const { spec, warning } = placed({ ...base, ...said }, gpus, "sconce");
    expect(spec.gpu).toEqual(gpu);
    expect(warning).toBeUndefined();
  });

  test.each<[Partial<ModelSpec>, GpuPicture, string]>([
    [{ deviceType: "gpu" }, none, "m.mar: deviceType asks for a GPU, and this server has none: no NVIDIA driver"],
    [{ deviceIds: [0] }, none, "m.mar: deviceIds asks for a GPU, and this server has none: no NVIDIA driver"],
    [{ deviceIds: [0, 2] }, two, "m.mar: deviceIds has 2, and this server uses 2 GPUs, 0 to 1"],
    [{ deviceIds: [1] }, picture(1), "m.mar: deviceIds has 1, and this server uses one GPU, number 0"],
    [
      { kind: "python", deviceType: "gpu" },
      two,
      "m.mar: deviceType asks for a GPU, and Python handlers are given none",
    ],
  ])("%j is refused, or with --compat torchserve served from the CPU with a warning", (said, gpus, words) => {
    const spec = { ...base, ...said };
    expect(() => placed(spec, gpus, "sconce")).toThrow(words);
    const kept = placed(spec, gpus, "torchserve");
    expect(kept.spec.gpu).toBeUndefined();
    expect(kept.warning).toContain(words);
    expect(kept.warning).toMatch(/; the model runs on the CPU$/);
  });
});
