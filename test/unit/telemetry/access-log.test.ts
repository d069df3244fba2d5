import { afterEach, expect, test, vi } from "vitest";
import { type Access, AccessLog } from "../../../src/telemetry/access-log.js";
import type { LogFormat } from "../../../src/telemetry/log.js";

afterEach(() => vi.useRealTimers());

const noon = Date.UTC(2026, 0, 31, 12, 0, 0, 7);

function open(format: LogFormat, onlyErrors = false): { readonly log: AccessLog; readonly written: string[] } {
  const written: string[] = [];
  return {
    log: new AccessLog({ format, onlyErrors, write: (lines) => void written.push(lines), clock: () => noon }),
    written,
  };
}

const request = (log: AccessLog, changes: Partial<Access> = {}): Access => ({
  method: "POST",
  path: "/predictions/m",
  requestId: "",
  traceparent: "",
  startedAt: log.now(),
  bytes: 12,
  ...changes,
});

test("a line has its format's fields, and the request's id where there is one", () => {
  const json = open("json");
  json.log.answered(request(json.log, { requestId: "id-1" }), 200, 34, "127.0.0.1");
  json.log.flush();
  const { ms, ...rest } = JSON.parse(json.written[0] ?? "") as Record<string, unknown>;
  expect(ms).toBeGreaterThanOrEqual(0);
  expect(rest).toEqual({
    time: "2026-01-31T12:00:00.007Z",
    level: "info",
    message: "access",
    method: "POST",
    path: "/predictions/m",
    status: 200,
    bytesIn: 12,
    bytesOut: 34,
    address: "127.0.0.1",
    requestId: "id-1",
  });
  const text = open("text");
  text.log.answered(request(text.log), 404, 34, "");
  text.log.flush();
  expect(text.written[0]).toMatch(/^12:00:00\.007 - POST \/predictions\/m 404 [\d.]+ ms 12 B 34 B\n$/);
  const torchserve = open("torchserve");
  torchserve.log.answered(request(torchserve.log), 200, 34, "10.0.0.1");
  torchserve.log.flush();
  expect(torchserve.written[0]).toMatch(
    /^2026-01-31T\d\d:\d\d:00,007 \[INFO \] http ACCESS_LOG - \/10\.0\.0\.1 "POST \/predictions\/m HTTP\/1\.1" 200 \d+\n$/,
  );
});

test("a line of JSON names its caller's trace, where that is one", () => {
  const { log, written } = open("json");
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  log.answered(request(log, { traceparent: `00-${traceId}-b7ad6b7169203331-01` }), 200, 0, "");
  log.answered(request(log, { traceparent: `00-${traceId}-nonsense-01` }), 200, 0, "");
  log.flush();
  const traces = (written[0] ?? "").trim().split("\n");
  expect(traces.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)).toEqual([traceId, undefined]);
});

test.each(["json", "text", "torchserve"] as const)("%s: nobody forges a line by method, path or id", (format) => {
  const { log, written } = open(format);
  const nasty = 'a\n"b\u0007\u2028\u0085';
  log.answered(request(log, { method: nasty, path: `/${nasty}${"x".repeat(5000)}`, requestId: "ok" }), 400, 0, "::1");
  log.flush();
  expect(written[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u0080-\u009f\u2028]/);
  expect(written[0]?.length).toBeLessThan(1000);
  if (format === "json") expect(() => JSON.parse(written[0] ?? "") as unknown).not.toThrow();
});

test("lines are handed on together: after a while, or when there are many", () => {
  vi.useFakeTimers();
  const { log, written } = open("text");
  for (let count = 0; count < 3; count++) log.answered(request(log), 200, 0, "::1");
  expect(written).toEqual([]);
  vi.advanceTimersByTime(100);
  expect(written.map((lines) => lines.split("\n").length - 1)).toEqual([3]);
  for (let count = 0; count < 1000; count++) log.answered(request(log), 200, 0, "::1");
  expect(written.length).toBeGreaterThan(1);
  log.flush();
  expect(written.join("").split("\n").length - 1).toBe(1003);
});

test("errors alone, when that is asked", () => {
  expect([200, 302, 400, 499, 503].map((status) => open("json", true).log.wants(status))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(open("json").log.wants(200)).toBe(true);
});
