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
  "src/models/models.ts": "types only",
};
