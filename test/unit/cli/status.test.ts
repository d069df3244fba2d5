import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundle } from "../../../src/cli/bundle.js";
import { exitCodes } from "../../../src/cli/exit-codes.js";
import { status } from "../../../src/cli/status.js";
import type { ServerStatus } from "../../../src/cli/status-view.js";
import type { Terminal } from "../../../src/cli/terminal.js";

let server: Server;
let base = "";
let scrapes = 0;
let said = { out: "", err: "" };

const terminal: Terminal = {
  out: (text) => void (said.out += text),
  err: (text) => void (said.err += text),
  env: {},
  colorOut: false,
  colorErr: false,
  interactive: false,
  width: 100,
  unread: () => 0,
};

const metrics = (requests: number): string => `
sconce_build_info{version="0.1.0",libtorch="2.13",cuda="false",node="v20"} 1
sconce_requests_total{model="m",version="1",code="ok"} ${requests}
sconce_requests_total{model="m",version="1",code="queue_full"} ${requests / 2}
sconce_request_duration_seconds_bucket{le="0.01",model="m",version="1"} ${requests}
sconce_request_duration_seconds_bucket{le="+Inf",model="m",version="1"} ${requests}
sconce_queue_depth{model="m",version="1"} 4
sconce_model_memory_bytes{model="m",version="1",device="cpu"} 5242880
process_resident_memory_bytes 104857600
`;

const answers: Readonly<Record<string, readonly [number, unknown]>> = {
  "/ping": [503, { status: "Unhealthy" }],
  "/models?limit=100&next_page_token=0": [200, { models: [{ modelName: "m" }], nextPageToken: "1" }],
  "/models?limit=100&next_page_token=1": [200, { models: [{ modelName: "gone" }] }],
  "/models/m/all": [
    200,
    [
      {
        modelName: "m",
        modelVersion: "1",
        modelUrl: "http://u:pw@s/m.mar",
        sconce: {
          state: "ready",
          isDefault: true,
          events: [
            { at: "2026-01-31T12:00:00.500Z", what: "ready" },
            { at: "2026-01-31T12:00:07.000Z", what: "scaled to 2 instances" },
          ],
        },
      },
      {
        modelName: "m",
        modelVersion: "2",
        sconce: {
          ...{ state: "failed", reason: "not a zip" },
          events: [{ at: "2026-01-31T12:00:03.000Z", what: "failed: not a zip" }],
        },
      },
      { modelName: "m", modelVersion: "3", sconce: { state: "loading", phase: "warm-up", loadSeconds: 2 } },
    ],
  ],
};

beforeEach(async () => {
  scrapes = 0;
  said = { out: "", err: "" };
  server = createServer((request, response) => {
    if (request.url === "/metrics") return void response.end(metrics(100 * ++scrapes));
    const [code, body] = answers[request.url ?? ""] ?? [
      404,
      { code: 404, type: "ModelNotFoundException", message: "no" },
    ];
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => void server.close());

const here = (): string[] => ["--url", base, "--metrics-url", base, "--interval", "50ms"];

test("each version has its state, rates, latency, queue and what is wrong", async () => {
  expect(await status([...here(), "--json"], terminal)).toBe(exitCodes.ok);
  const seen = JSON.parse(said.out) as ServerStatus;
  expect(seen).toMatchObject({ health: "Unhealthy", version: "0.1.0", memoryBytes: 104_857_600, draining: false });
  const [ready, failed, loading] = seen.versions;
  expect(ready).toMatchObject({ model: "m", version: "1", isDefault: true, state: "ready", queue: 4, p50Ms: 5 });
  expect((ready?.requestsPerSecond ?? 0) / (ready?.errorsPerSecond ?? 1)).toBeCloseTo(3);
  expect(failed).toMatchObject({ version: "2", state: "failed", reason: "not a zip", requestsPerSecond: 0 });
  expect(loading?.reason).toBe("warm-up, 2.0 s");
  expect(seen.versions).toHaveLength(3);
});

test("people get a table", async () => {
  await status(here(), terminal);
  expect(said.out).toContain("Unhealthy");
  expect(said.out).toMatch(/^m\/1 \* +ready +\d+ +\d+ +5\.00 +9\.90 +4 +5\.0 MiB$/m);
  expect(said.out).toMatch(/^m\/2 +failed .*not a zip$/m);
});

test("where nothing answers, that is said", async () => {
  server.close();
  await once(server, "close");
  expect(await status(here(), terminal)).toBe(exitCodes.unreachable);
  expect(said.err).toContain(`${base}/metrics`);
  await expect(status(["--interval", "soon"], terminal)).rejects.toThrow('--interval: "soon" is no time');
  await expect(status(["x"], terminal)).rejects.toThrow('unexpected "x"');
});

test("a bundle holds every part without secrets, and says which could not be had", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-bundle-"));
  const path = join(folder, "b.json");
  const parts = {
    doctor: () => Promise.reject(new Error("no doctor")),
    config: (to: Terminal) => {
      to.out('{"options":{"keystorePass":{"value":"hunter2","origin":"flag"}}}');
    },
  };
  expect(await bundle([...here(), "-o", path], terminal, parts)).toBe(exitCodes.ok);
  const text = readFileSync(path, "utf8");
  expect(text).not.toMatch(/hunter2|u:pw/);
  const content = JSON.parse(text) as Record<string, Record<string, unknown>>;
  expect(content["machine"]).toEqual({ failed: "no doctor" });
  expect(content["server"]?.["metrics"]).toContain("sconce_queue_depth");
  expect(content["server"]?.["described"]).toHaveLength(3);
  expect(said.out).toContain(path);
  rmSync(folder, { recursive: true });
});

test("the latest events of all versions, in order", async () => {
  expect(await status(["--url", base, "--metrics-url", base, "--interval", "10ms"], terminal)).toBe(exitCodes.ok);
  const shown = said.out.slice(said.out.indexOf("recent events")).split("\n").slice(1, 4);
  expect(shown.map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
    ["2026-01-31 12:00:00 UTC", "m/1", "ready"],
    ["2026-01-31 12:00:03 UTC", "m/2", "failed: not a zip"],
    ["2026-01-31 12:00:07 UTC", "m/1", "scaled to 2 instances"],
  ]);
});
