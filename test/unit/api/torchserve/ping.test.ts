import { expect, test } from "vitest";
import { ping } from "../../../../src/api/torchserve/ping.js";

test("each state has its answer, and draining wins", () => {
  expect(ping("healthy", false)).toEqual({ status: 200, body: '{\n  "status": "Healthy"\n}\n' });
  expect(ping("partial", false).body).toContain("Partial Healthy");
  expect(ping("empty", false).status).toBe(200);
  expect(ping("unready", false).status).toBe(503);
  for (const health of ["healthy", "partial", "empty", "unready"] as const) {
    expect(ping(health, true).status).toBe(503);
  }
  expect(ping("unready", false, "torchserve")).toEqual({ status: 500, body: '{\n  "status": "Unhealthy"\n}\n' });
  expect(ping("unready", true, "torchserve").status).toBe(503);
});
