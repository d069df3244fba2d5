/**
 * Whether a model is loaded on GPUs or on the CPU. TorchServe's rule: on a GPU where there is one, unless `deviceType: cpu`.
 * What is compiled ahead of time is for one kind of device, and goes to a GPU only where `deviceType` or `deviceIds` says so;
 * so does what asks to run on the event loop (`executor: inline`). Pure.
 */
import type { GpuPicture } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { ModelSpec } from "../types.js";

export interface Placed {
  readonly spec: ModelSpec;
  /** What the operator asked for and does not get. */
  readonly warning?: string;
}

/** With `--compat torchserve` a model that asks for a GPU that is not there runs on the CPU; otherwise invalid_model. */
export function placed(spec: ModelSpec, gpus: GpuPicture, compat: "torchserve" | "sconce"): Placed {
  const { deviceType, deviceIds = [], priority = "normal", kind } = spec;
  const asked = deviceType === "gpu" || deviceIds.length > 0;
  const reason = asked ? whyNot(spec, gpus) : undefined;
  if (reason !== undefined) {
    if (compat === "sconce") {
      throw new ServerError(
        "invalid_model",
        `${spec.source}: ${reason}; or leave ${keyOf(spec)} out of model-config.yaml`,
      );
    }
    return { spec, warning: `${spec.source}: ${reason}; the model runs on the CPU` };
  }
  const free = deviceType === undefined && kind === "torchscript" && spec.executor !== "inline" && gpus.inUse > 0;
  if (!asked && !free) return { spec };
  const instances = spec.maxWorkers ?? spec.instances;
  return { spec: { ...spec, gpu: { ids: deviceIds, instances, priority } } };
}

const keyOf = ({ deviceType }: ModelSpec): string => (deviceType === "gpu" ? "deviceType" : "deviceIds");

function whyNot(spec: ModelSpec, gpus: GpuPicture): string | undefined {
  const { deviceIds = [] } = spec;
  if (spec.kind === "python")
    return `${keyOf(spec)} asks for a GPU, and Python handlers are given none in this version`;
  if (spec.kind === "handler") return `${keyOf(spec)} asks for a GPU, and there is no model file to run on it`;
  if (gpus.inUse === 0) return `${keyOf(spec)} asks for a GPU, and this server has none: ${gpus.problem}`;
  const beyond = deviceIds.find((id) => id >= gpus.inUse);
  if (beyond === undefined) return undefined;
  const there = gpus.inUse === 1 ? "one GPU, number 0" : `${gpus.inUse} GPUs, 0 to ${gpus.inUse - 1}`;
  return `deviceIds has ${beyond}, and this server uses ${there}`;
}
