import { expect, test } from "vitest";
import { emptyFault, hostedSettings } from "../../../src/config/hosting.js";
import { optionRows } from "../../../src/config/options.js";
import { resolve } from "./resolved.js";

test("the other listeners take the first ports of SageMaker's range, unless they are told others", () => {
  const env = { SAGEMAKER_BIND_TO_PORT: "7001", SAGEMAKER_SAFE_PORT_RANGE: "7100-7110" };
  const { config, settings } = resolve(env);
  expect(config).toMatchObject({ port: 7001, managementPort: 7100, metricsPort: 7101 });
  expect(settings.get("metricsPort")?.origin).toBe("SAGEMAKER_SAFE_PORT_RANGE");
  expect(resolve({ ...env, SCONCE_METRICS_PORT: "0" }).config).toMatchObject({ managementPort: 7100, metricsPort: 0 });
  expect(resolve(env, ["--management-port", "9"]).config).toMatchObject({ managementPort: 9, metricsPort: 7101 });
  expect(hostedSettings({ SAGEMAKER_SAFE_PORT_RANGE: "" }).size).toBe(0);
  for (const bad of ["7100", "7110-7100", "7100-7100", "0-5", "1-99999", "a-b", "7100-7110 "]) {
    expect(() => resolve({ SAGEMAKER_SAFE_PORT_RANGE: bad }), bad).toThrow("two ports such as 8100-8200");
  }
});

test("a batch transform's largest body may come; a smaller one narrows nothing", () => {
  const size = (payload: string) => resolve({ SAGEMAKER_MAX_PAYLOAD_IN_MB: payload }).config.maxRequestSize;
  expect(size("100")).toBe(100 * 1024 * 1024);
  for (const small of ["", "0", "6"]) expect(size(small), small).toBe(optionRows.maxRequestSize.fallback);
  expect(resolve({ SAGEMAKER_MAX_PAYLOAD_IN_MB: "100" }, ["--max-request-size", "1"]).config.maxRequestSize).toBe(1);
  expect(() => size("many")).toThrow("SAGEMAKER_MAX_PAYLOAD_IN_MB");
});

test("where a service or the operator says that a model is there, there has to be one", () => {
  const fault = (env: Readonly<Record<string, string>>, words: readonly string[] = []) =>
    resolve(env, words).emptyFault;
  expect(fault({})).toBeUndefined();
  const uri = { AIP_HTTP_PORT: "7001", AIP_STORAGE_URI: "gs://bucket/model" };
  expect(fault(uri)?.file).toBe("gs://bucket/model");
  expect(fault({ AIP_HTTP_PORT: "7001" })).toEqual({
    file: "/opt/ml/model",
    reason: "holds no model, and no other is named: sconce serve MODEL",
  });
  expect(fault({ SM_MODEL_DIR: "/m" })?.reason).toContain("(SM_MODEL_DIR)");
  expect(fault(uri, ["--enable-model-api"])).toBeUndefined();
  expect(fault({ SAGEMAKER_BIND_TO_PORT: "7001", SAGEMAKER_MULTI_MODEL: "true" })).toBeUndefined();
  const polled = { modelDir: "/m", multiModel: false, enableModelApi: false, pollModelStoreMs: 1000 };
  expect(emptyFault(uri, polled, new Map())).toBeUndefined();
});
