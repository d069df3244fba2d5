import { describe, expect, test } from "vitest";
import { optionRows } from "../../../src/config/options.js";
import { torchserveKeys } from "../../../src/config/torchserve-keys.js";

const read = (key: string, text: string) => torchserveKeys.find((each) => each.key === key)?.read?.(text);

describe("TorchServe's keys", () => {
  test("are unique, say what they mean here in a sentence, and have TorchServe's variables", () => {
    expect(new Set(torchserveKeys.map((each) => each.key)).size).toBe(torchserveKeys.length);
    for (const { here, key } of torchserveKeys) expect(here, key).toMatch(/^[\w`/].*\.$/);
    const env = (key: string) => torchserveKeys.find((each) => each.key === key)?.env;
    expect(env("job_queue_size")).toBe("TS_JOB_QUEUE_SIZE");
    expect(env("token_expiration_min")).toBe("TS_TOKEN_EXPIRATION_TIME_MIN");
    expect(env("ts_open_inference_protocol")).toBe("TS_OPEN_INFERENCE_PROTOCOL");
    expect(env("ts_header_key_sequence_id")).toBe("TS_HEADER_KEY_SEQUENCE_ID");
    for (const key of ["models", "model_snapshot", "metric_time_interval", "use_native_io", "io_ratio", "python"]) {
      expect(env(key), key).toBeUndefined();
    }
  });

  test("every option that a key fills exists", () => {
    for (const { read: fill, key } of torchserveKeys) {
      const filled = fill?.("1");
      for (const option of typeof filled === "object" ? Object.keys(filled) : []) {
        expect(optionRows, key).toHaveProperty(option);
      }
    }
  });

  test.each<[string, string, object]>([
    ["inference_address", "http://0.0.0.0:9080", { host: "0.0.0.0", port: 9080 }],
    ["inference_address", "http://127.0.0.1", { host: "127.0.0.1", port: 80 }],
    ["management_address", "http://[::1]/", { managementHost: "::1", managementPort: 8081 }],
    ["metrics_address", "HTTP://localhost:0", { metricsHost: "localhost", metricsPort: 0 }],
    ["inference_address", "https://0.0.0.0", { host: "0.0.0.0", port: 443, https: true }],
    ["management_address", "https://h", { managementHost: "h", managementPort: 8444, managementHttps: true }],
    ["metrics_address", "https://h", { metricsHost: "h", metricsPort: 8445, metricsHttps: true }],
    ["keystore_type", "pkcs12", {}],
    ["keystore_pass", "secret", { keystorePass: "secret" }],
    ["model_store", "/models", { modelStore: "/models" }],
    ["load_models", "ALL", { models: ["all"] }],
    ["load_models", "a.mar, b=b.mar", { models: ["a.mar", "b=b.mar"] }],
    ["load_models", "none", {}],
    ["models", '{"m":{"1.0":{"batchSize":2}}}', { modelSettings: { m: { "1.0": { batchSize: 2 } } } }],
    [
      "model_snapshot",
      '{"name":"x","modelCount":1,"models":{"m":{"1.0":{"marName":"m.mar","minWorkers":0,"batchSize":1}}}}',
      { modelSnapshot: { models: { m: { "1.0": { marName: "m.mar", minWorkers: 0, batchSize: 1 } } } } },
    ],
    ["default_workers_per_model", "3", { defaultWorkers: 3 }],
    ["default_response_timeout", "60", { responseTimeoutMs: 60_000 }],
    ["number_of_netty_threads", "0", {}],
    ["number_of_netty_threads", "32", { httpThreads: 32 }],
    ["job_queue_size", "1000", { jobQueueSize: 1000 }],
    ["max_request_size", "6553500", { maxRequestSize: 6_553_500 }],
    ["metrics_mode", "legacy", { metricsMode: "legacy" }],
    ["enable_metrics_api", "false", { metricsApi: false }],
    ["disable_system_metrics", "true", { systemMetrics: false }],
    ["metric_time_interval", "60", { metricsIntervalMs: 60_000 }],
    ["disable_token_authorization", "true", { tokenAuth: false }],
    ["disable_token_authorization", "FALSE", { tokenAuth: true }],
    ["token_expiration_min", "0.5", { tokenExpirationMs: 30_000 }],
    ["limit_max_image_pixels", "true", {}],
    ["limit_max_image_pixels", "False", { maxImagePixels: 2_000_000_000 }],
  ])("%s=%s", (key, text, filled) => {
    expect(JSON.stringify(read(key, text))).toBe(JSON.stringify(filled));
  });

  test.each([
    ["inference_address", "0.0.0.0:8080", "http(s)://HOST or http(s)://HOST:PORT"],
    ["inference_address", "http://:8080", "http(s)://HOST"],
    ["inference_address", "http://a@b:8080", "http(s)://HOST"],
    ["inference_address", "http://h:65535", "http(s)://HOST"],
    ["inference_address", "http://h:1/x", "http(s)://HOST"],
    ["inference_address", "unix:/tmp/x.sock", "Unix sockets are not served"],
    ["keystore_type", "JKS", "PKCS12 (keytool"],
    ["job_queue_size", "many", "a whole number from 1 to 1000000"],
    ["default_response_timeout", "0", "a time from 1 ms"],
    ["limit_max_image_pixels", "1", "true or false"],
    ["disable_token_authorization", "1", "true or false"],
    ["models", "{", "JSON like"],
  ])("%s=%s is refused with what is allowed", (key, text, words) => {
    expect(read(key, text)).toContain(words);
  });
});
