/** Inference and management on one address, as TorchServe's ALL connector, on a whole server. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveServe } from "../../src/config/resolve.js";
import { freePorts } from "../e2e/server.js";
import { modelSpec, startTestServer, type TestServer } from "./support.js";

let server: TestServer;
let base = "";
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  server = await startTestServer([modelSpec("echo", "echo.pt"), modelSpec("sum", "sum.pt")], {
    port,
    managementPort: port,
  });
  base = server.base;
});
afterAll(async () => expect(await server.server.drain()).toBe(0));

const ask = async (method: string, path: string, body?: string): Promise<readonly [number, string]> => {
  const answer = await fetch(`${base}${path}`, { method, ...(body === undefined ? {} : { body }) });
  return [answer.status, await answer.text()];
};

test("both APIs answer on the one port, and the metrics too", async () => {
  const { inference, management, metrics } = server.server.addresses;
  expect(management).toEqual(inference);
  expect(metrics.port).not.toBe(inference.port);
  expect(await ask("POST", "/predictions/sum", "[1, 2]")).toEqual([200, "3"]);
  expect((await ask("GET", "/ping"))[0]).toBe(200);
  expect((await ask("GET", "/v2/models/echo"))[0]).toBe(200);
  const [status, list] = await ask("GET", "/models?limit=1");
  expect([status, JSON.parse(list)]).toMatchObject([200, { nextPageToken: "1", models: [{ modelName: "echo" }] }]);
  expect((await ask("GET", "/models/echo"))[1]).toContain('"modelName": "echo"');
  expect(await ask("GET", "/v1/models/echo")).toEqual([200, expect.stringContaining('"ready": true')]);
  expect((await ask("GET", "/metrics"))[1]).toContain("sconce_build_info");
  expect((await ask("GET", "/models/nobody"))[0]).toBe(404);
  expect((await ask("GET", "/modelsx"))[0]).toBe(404);
});

test("predictions whose paths begin as management's do", async () => {
  expect(await ask("POST", "/models/sum/invoke", "[1, 2]")).toEqual([200, "3"]);
  expect(await ask("POST", "/v1/models/sum:predict", "[1, 2]")).toEqual([200, "3"]);
  expect(await ask("POST", "/invocations?model_name=sum", "[1, 2]")).toEqual([200, "3"]);
  expect((await ask("POST", "/models/nobody/invoke", "[1]"))[0]).toBe(404);
});

test("changes, with their query, with a body in one piece or many, and refused verbs", async () => {
  expect((await ask("PUT", "/models/echo/1.0/set-default"))[0]).toBe(200);
  expect((await ask("POST", "/models/echo/log-level?level=debug"))[1]).toContain("debug");
  // The manager of this test takes no registration, which shows that it was asked.
  expect(await ask("POST", "/models?url=a.mar")).toEqual([503, expect.stringContaining("not in this test")]);
  const large = JSON.stringify({ url: "x".repeat(300_000) });
  const headers = { "content-type": "application/json" };
  const posted = await fetch(`${base}/models`, { method: "POST", body: large, headers });
  expect([posted.status, await posted.text()]).toEqual([503, expect.stringContaining("not in this test")]);
  const verb = await fetch(`${base}/models`, { method: "PATCH" });
  expect([verb.status, verb.headers.get("allow")]).toEqual([405, "GET, POST"]);
  expect((await ask("POST", "/predictions/echo", "[7]"))[1]).toBe("[7]");
});

test("a client that leaves, and many at once, do no harm", async () => {
  const cut = AbortSignal.timeout(1);
  await Promise.allSettled(Array.from({ length: 20 }, () => fetch(`${base}/models`, { signal: cut })));
  const all = await Promise.all(Array.from({ length: 50 }, () => ask("GET", "/models/sum")));
  expect(new Set(all.map(([status]) => status))).toEqual(new Set([200]));
});

test("HTTPS for one of them only is refused at start", () => {
  const words = ["--port", "8085", "--management-port", "8085", "--https", "--certificate-file", "a"];
  const sources = {
    words,
    env: {},
    machine: { cores: 1, logToTerminal: false },
    readFile: () => "",
    exists: () => false,
  };
  expect(() => resolveServe(sources)).toThrow("--port, --management-port: one address for both needs");
});
