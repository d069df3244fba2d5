/** The tables that tidy.test.ts checks. A new folder of src gets a row here, with its layer's reason. */

const leaf = ["types", "wire", "errors", "config", "metrics", "telemetry"] as const;
const engineInterface = "src/engine/engine.ts";
const modelsInterface = "src/models/models.ts";

/** Part of src → parts or files that it may import; "*" is everything. */
export const importable: Readonly<Record<string, readonly string[]>> = {
  main: ["*"],
  app: ["*"],
  index: ["*"],
  cli: ["*"],
  server: ["*"],
  http: leaf,
  "api/torchserve": ["inference", "models", ...leaf],
  "api/kserve_v2": ["inference", "models", ...leaf],
  inference: ["handlers", modelsInterface, engineInterface, ...leaf],
  models: ["archive", "src/handlers/load.ts", engineInterface, ...leaf],
  handlers: leaf,
  archive: leaf,
  engine: leaf,
  telemetry: ["types", "errors", "config", "metrics"],
  metrics: ["types", "errors", "config", engineInterface, modelsInterface],
  config: ["types", "errors"],
  errors: ["types"],
  types: [],
  wire: [],
};

/** Sources without a test file of their own, each with the reason. */
export const untested: Readonly<Record<string, string>> = {
  "src/types.ts": "types only",
  "src/wire.ts": "types only",
  "src/http/raw.ts": "types only",
  "src/handlers/handler.ts": "types only",
  "src/config/serve-config.ts": "types only",
  "src/engine/engine.ts": "types only; test/contract holds implementations to it",
  "src/app.ts": "test/integration runs it on real sockets",
  "src/http/exchange.ts": "test/integration runs it on real sockets",
  "src/http/listener.ts": "test/integration runs it on real sockets",
  "src/http/port.ts": "test/integration runs it on real sockets",
  "src/http/respond.ts": "test/integration runs it on real sockets",
  "src/http/slot.ts": "test/integration runs it on real sockets",
  "src/server/inference-server.ts": "test/integration runs it on real sockets",
  "src/server/messages.ts": "types only",
  "src/server/thread.ts": "test/e2e runs it in a real process",
  "src/server/threads.ts": "test/integration and test/e2e run it",
  "src/api/torchserve/errors.ts": "test/integration runs it on real sockets",
  "src/api/torchserve/openapi.ts": "test/integration runs it on real sockets",
  "src/api/torchserve/predict.ts": "test/integration runs it on real sockets",
  "src/api/torchserve/routes.ts": "test/integration runs it on real sockets",
  "src/handlers/builtin/base-handler.ts": "nothing but a name; test/unit/handlers/registry.test.ts makes one",
  "src/inference/call.ts": "types only",
  "src/metrics/samples.ts": "test/unit/metrics/exposition.test.ts",
  "src/metrics/table.ts": "test/unit/metrics/exposition.test.ts",
  "src/models/models.ts": "types only",
  "src/engine/native.ts": "test/contract/engine.test.ts and test/e2e/engine-lifecycle.test.ts run it on the real addon",
  "src/engine/fake.ts": "test/contract/engine.test.ts",
  "src/engine/fake-channel.ts": "test/contract/engine.test.ts",
  "src/engine/fake-model.ts": "test/contract/engine.test.ts",
};
