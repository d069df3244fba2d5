import { expect, test } from "vitest";
import { announcementOf } from "../../../src/server/announcement.js";
import type { LoadReport } from "../../../src/types.js";
import { baseSpec, modelSpec } from "../../integration/support.js";

const model = { name: "m", version: "1.0" };

test("a version is told with what it takes and gives", () => {
  const inputs = [{ name: "x", dtype: "float32", shape: [2], optional: false }] as const;
  const outputs = [{ name: "y", dtype: "int64", shape: [] }] as const;
  const spec = modelSpec("m", "echo.pt", { signature: { declared: true, inputs, outputs: [] }, responseTimeoutMs: 7 });
  const report = { outputs, batchSize: 16 } as unknown as LoadReport;
  const entry = {
    ...model,
    state: "loading",
    isDefault: true,
    loadSeconds: 0,
    loadedAtStartup: true,
    since: "",
  } as const;
  const about = { kind: "torchscript", inputs, outputs, maxBatchSize: 16, maxBatchDelayMs: 0 };
  expect(announcementOf(model, baseSpec, { ...entry, spec, report }, 5)).toEqual({
    ...model,
    spec: baseSpec,
    responseTimeoutMs: 7,
    about,
  });
  expect(announcementOf(model, baseSpec, undefined, 5)).toEqual({
    ...model,
    spec: baseSpec,
    responseTimeoutMs: 5,
    about: { kind: "torchscript", inputs: [], outputs: [], maxBatchSize: 1, maxBatchDelayMs: 0 },
  });
});
