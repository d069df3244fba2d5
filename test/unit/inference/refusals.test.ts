import { expect, test } from "vitest";
import { missingModel, tooLate } from "../../../src/inference/refusals.js";
import type { Route } from "../../../src/inference/call.js";
import type { ModelEntry } from "../../../src/models/models.js";

const entry = (version: string, more: Partial<ModelEntry>): ModelEntry => ({
  name: "m",
  version,
  state: "loading",
  isDefault: true,
  loadSeconds: 0,
  loadedAtStartup: true,
  since: "",
  ...more,
});

test("unknown, unknown version, on its way, broken", () => {
  expect(missingModel("m", "", [], false)).toEqual({ code: "model_not_found", message: "Model not found: m" });
  expect(missingModel("m", "2", [], false).code).toBe("model_not_found");
  expect(missingModel("m", "2", [], true)).toEqual({
    code: "version_not_found",
    message: "Model version: 2 does not exist for model: m",
  });
  expect(missingModel("m", "2", [entry("1", {})], false).code).toBe("version_not_found");
  expect(missingModel("m", "", [entry("1", { phase: "warm-up" })], false)).toEqual({
    code: "not_ready",
    message: 'Model "m" version 1 is loading (warm-up).',
  });
  const failed = missingModel("m", "1", [entry("1", { state: "failed", reason: "not a model" })], true);
  expect(failed.message).toBe('Model "m" version 1 failed to load: not a model');
});

test("too late says by which of its limits", () => {
  const route = { name: "m", timeoutMs: 500 } as Route;
  expect(tooLate({ ...route, by: "server" })).toMatchObject({
    code: "deadline_exceeded",
    message: expect.stringMatching(/within 0\.5 s \(--response-timeout/) as string,
  });
  expect(tooLate({ ...route, by: "client" })).toEqual({
    code: "client_timeout",
    message: 'Model "m" gave no answer within 0.5 s (the model\'s clientTimeoutInMills).',
  });
});
