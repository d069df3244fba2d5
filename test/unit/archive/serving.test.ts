import { describe, expect, test } from "vitest";
import { servingOf } from "../../../src/archive/serving.js";

const defaults = { jobQueueSize: 100, responseTimeoutMs: 120_000, maxInstances: 1024, instances: 2 };
const serve = (config: object = {}, set: object = {}): object =>
  servingOf({ warnings: [], pythonWarnings: [], ...config }, set, defaults);

describe("servingOf", () => {
  test("the defaults", () => {
    expect(serve()).toEqual({
      jobQueueSize: 100,
      responseTimeoutMs: 120_000,
      maxInstances: 1024,
      maxBatchDelayMs: 0,
      instances: 2,
      executor: "auto",
      stateful: false,
    });
  });

  test("the operator's settings win over them, the model's own over both", () => {
    const set = { batchSize: 4, maxBatchDelay: 7, responseTimeout: 3, startupTimeout: 5, minWorkers: 3 };
    expect(serve({}, set)).toMatchObject({
      batchSize: 4,
      maxBatchDelayMs: 7,
      responseTimeoutMs: 3000,
      startupTimeoutMs: 5000,
      instances: 3,
    });
    const own = { batchSize: 8, maxBatchDelayMs: 1, responseTimeoutMs: 9, startupTimeoutMs: 11, instances: 1 };
    expect(serve(own, set)).toMatchObject(own);
  });

  test("with a most and no least there is one to begin with; a least above the most wins", () => {
    expect(serve({ maxWorkers: 4 })).toMatchObject({ instances: 2, maxWorkers: 4 });
    expect(serve({ maxWorkers: 1 })).toMatchObject({ instances: 1, maxWorkers: 1 });
    expect(serve({ instances: 6, maxWorkers: 4 })).toMatchObject({ instances: 6, maxWorkers: 6 });
  });

  test("how long clients wait; 0 is no limit of theirs", () => {
    expect(serve({ clientTimeoutMs: 500 })).toMatchObject({ clientTimeoutMs: 500 });
    expect(serve({ clientTimeoutMs: 0 })).not.toHaveProperty("clientTimeoutMs");
  });

  test("devices and precision as the model says", () => {
    const said = { deviceType: "gpu", deviceIds: [1], priority: "high", precision: "auto", precisionTolerance: 0.1 };
    expect(serve(said)).toMatchObject(said);
  });
});
