import { expect, test } from "vitest";
import { announcementOf, unreadyOf } from "../../../src/server/announcement.js";
import type { LoadReport } from "../../../src/types.js";
import { baseSpec, modelSpec } from "../../integration/support.js";

const model = { name: "m", version: "1.0" };

const entry = {
  ...model,
  state: "loading",
  isDefault: true,
  loadSeconds: 0,
  loadedAtStartup: true,
  since: "",
} as const;

test("a version is told with what it takes and gives", () => {
  const inputs = [{ name: "x", dtype: "float32", shape: [2], optional: false }] as const;
  const outputs = [{ name: "y", dtype: "int64", shape: [] }] as const;
  const spec = modelSpec("m", "echo.pt", { signature: { declared: true, inputs, outputs: [] }, responseTimeoutMs: 7 });
  const report = { outputs, batchSize: 16 } as unknown as LoadReport;
  const about = { kind: "torchscript", inputs, outputs, maxBatchSize: 16, maxBatchDelayMs: 0 };
  expect(announcementOf(model, baseSpec, { ...entry, spec, report }, 5)).toEqual({
    ...model,
    spec: baseSpec,
    limit: { timeoutMs: 7, by: "server" },
    about,
  });
  expect(announcementOf(model, baseSpec, undefined, 5)).toEqual({
    ...model,
    spec: baseSpec,
    limit: { timeoutMs: 5, by: "server" },
    about: { kind: "torchscript", inputs: [], outputs: [], maxBatchSize: 1, maxBatchDelayMs: 0 },
  });
});

test.each([
  [2000, 100, { timeoutMs: 100, by: "client" }],
  [2000, 2000, { timeoutMs: 2000, by: "server" }],
  [50, 100, { timeoutMs: 50, by: "server" }],
  [0, 100, { timeoutMs: 100, by: "client" }],
])("of responseTimeout %i ms and clientTimeoutInMills %i the one that passes first", (response, client, limit) => {
  const spec = modelSpec("m", "echo.pt", { responseTimeoutMs: response, clientTimeoutMs: client });
  expect(announcementOf(model, baseSpec, { ...entry, spec }, 5).limit).toEqual(limit);
});

test("versions that are not served are told without what changes all the time", () => {
  const loading = { ...entry, loadSeconds: 3, phases: [{ phase: "load", seconds: 3 }], spec: modelSpec("m", "x.pt") };
  expect(unreadyOf([loading, { ...loading, state: "ready" }])).toEqual([entry]);
});
