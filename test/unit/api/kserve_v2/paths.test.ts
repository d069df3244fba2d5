import { expect, test } from "vitest";
import { parsePath } from "../../../../src/api/kserve_v2/paths.js";

test.each([
  ["/v2", { kind: "server" }],
  ["/v2/", { kind: "server" }],
  ["/v2/health/live", { kind: "live" }],
  ["/v2/health/ready", { kind: "ready" }],
  ["/v2/health/ready/x", { kind: "unknown" }],
  ["/v2/health", { kind: "unknown" }],
  ["/v2/models/m", { kind: "metadata", name: "m", version: "" }],
  ["/v2/models/m/versions/1.0", { kind: "metadata", name: "m", version: "1.0" }],
  ["/v2/models/m/ready", { kind: "modelReady", name: "m", version: "" }],
  ["/v2/models/m/versions/2/ready/", { kind: "modelReady", name: "m", version: "2" }],
  ["/v2/models/m/infer", { kind: "infer", name: "m", version: "" }],
  ["/v2/models/m%2e1/versions/2/infer", { kind: "infer", name: "m.1", version: "2" }],
  ["/v2/models/infer/infer", { kind: "infer", name: "infer", version: "" }],
  ["/v2/models", { kind: "unknown" }],
  ["/v2/models/m/versions", { kind: "unknown" }],
  ["/v2/models/m/infer/x", { kind: "unknown" }],
  ["/v2/models/m/explain", { kind: "unknown" }],
  ["/v2/models/..%2fm/infer", { kind: "badName", name: "../m" }],
  ["/v2/models/m/versions/..%2f/infer", { kind: "badName", name: "m/../" }],
  ["/v2/models/m/config", { kind: "config", name: "m", version: "" }],
  ["/v2/models/m/versions/2/stats", { kind: "stats", name: "m", version: "2" }],
  ["/v2/models/stats", { kind: "allStats" }],
  ["/v2/repository/index", { kind: "index" }],
  ["/v2/repository/index/x", { kind: "unknown" }],
  ["/v2/repository/models/m/load", { kind: "repository" }],
  ["/v2/repository/models/m/unload", { kind: "repository" }],
  ["/v2/repository/models/m/drop", { kind: "unknown" }],
  ["/v2/cudasharedmemory/status", { kind: "sharedMemory" }],
  ["/v2/logging", { kind: "settings" }],
  ["/v2/logging/x", { kind: "unknown" }],
  ["/v2/trace/setting", { kind: "settings" }],
  ["/v2/models/m/versions/2/trace/setting", { kind: "settings" }],
])("%s", (path, target) => {
  expect(parsePath(path)).toEqual(target);
});

test("an escape that does not decode is told", () => {
  expect(parsePath("/v2/models/%ff").kind).toBe("bad");
});
