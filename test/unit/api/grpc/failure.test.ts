import { expect, test } from "vitest";
import { statusMessage, statusOf } from "../../../../src/api/grpc/failure.js";
import { errorTable } from "../../../../src/errors.js";
import { rpcStatus } from "../../../../src/rpc.js";

test("every row of the error table has a status that gRPC knows", () => {
  for (const row of errorTable) expect(Object.keys(rpcStatus), row.code).toContain(row.grpc);
  expect(statusOf("queue_full")).toBe("UNAVAILABLE");
});

test("inside a stream the error's class goes along, and words are cut", () => {
  const { code, message, details } = statusMessage("model_not_found", "x".repeat(5000));
  expect(code).toBe(rpcStatus.NOT_FOUND);
  expect(message).toHaveLength(4096);
  expect(details[0]?.reason).toBe("ModelNotFoundException");
});
