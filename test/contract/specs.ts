/** Model specs of the small models in test/contract/models; the fake engine goes by their file names. */
import { join } from "node:path";
import type { ExplainSettings, ModelSpec } from "../../src/types.js";

export type Kind = "echo" | "sum" | "raise" | "slow" | "broken";

const input = { name: "x", dtype: "float32", shape: [4], optional: false } as const;

/** A model with one float32 input `x` of four numbers. */
export function specOf(kind: Kind, changes: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name: kind,
    version: "1.0",
    artifact: join(import.meta.dirname, "models", `${kind}.pt`),
    kind: "torchscript",
    sha256: "",
    // Undeclared inputs: no warm-up, which would take seconds for this one.
    signature: { declared: kind !== "slow", inputs: kind === "slow" ? [] : [input], outputs: [] },
    ...(kind === "slow" ? {} : { batchSize: 16 }),
    handler: { name: "base_handler", topK: 5 },
    maxBatchDelayMs: 0,
    jobQueueSize: 100,
    responseTimeoutMs: 60_000,
    instances: 1,
    executor: "auto",
    stateful: false,
    maxInstances: 16,
    source: "test",
    ...changes,
  };
}

/** Exact for linear models. */
export const explanation: ExplainSettings = {
  method: "integrated_gradients",
  rule: "gausslegendre",
  steps: 5,
  target: [],
  baseline: 0,
  batch: 8,
  window: [0, 0],
  stride: [0, 0],
  detail: false,
};
