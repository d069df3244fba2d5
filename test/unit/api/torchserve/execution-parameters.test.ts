import { expect, test } from "vitest";
import { executionParameters } from "../../../../src/api/torchserve/execution-parameters.js";

const MB = 1024 * 1024;

test("one record in a request, as large as is read, and no more at once than the service allows", () => {
  expect(executionParameters(64 * MB)).toEqual({
    MaxConcurrentTransforms: 16,
    BatchStrategy: "SINGLE_RECORD",
    MaxPayloadInMB: 6,
  });
  expect(executionParameters(2.5 * MB)["MaxPayloadInMB"]).toBe(2);
  expect(executionParameters(10)["MaxPayloadInMB"]).toBe(1);
});
