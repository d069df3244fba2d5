/** What TorchServe's tools look for in its metrics: a line per batch in the log, and the label of who named no version. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { RpcClient } from "../integration/grpc-client.js";
import { call, drive, requestBytes } from "./client.js";
import { eventually, models, Server } from "./server.js";

const sample = JSON.stringify(Array.from({ length: 16 }, (_, i) => i - 8));
const headers = { "content-type": "application/json" };

test("each batch has its lines, each request the one of its wait, all of them there at the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-batches-"));
  const logged = ["--metrics-mode", "log", "--log-folder", folder, "--log-format", "torchserve"];
  const server = await Server.start([`${models}ledger.pt`, ...logged]);
  const count = 500;
  const tally = await drive({
    ...{ port: server.port, connections: 16, count, check: (_, { status }) => (status === 200 ? undefined : "wrong") },
    request: () => requestBytes({ path: "/predictions/ledger", headers, body: sample }),
  });
  expect(tally.right).toBe(count);
  const read = (file: string): readonly string[] => readFileSync(join(folder, file), "utf8").split("\n");
  const lines = (file: string, name: string): readonly string[] =>
    read(file).filter((line) => line.includes(` - ${name}.Milliseconds:`));
  // They come while the server runs, not only at its end.
  await eventually(20_000, "lines of all requests", () =>
    lines("ts_metrics.log", "QueueTime").length === count ? true : undefined,
  );
  const batches = await server.metric(/^sconce_batches_total\{/);
  expect((await call(server.port, { path: "/predictions/ledger", headers, body: sample })).status).toBe(200);
  expect((await server.stop()).code).toBe(0);
  expect(batches).toBeLessThanOrEqual(count);
  expect(lines("ts_metrics.log", "QueueTime")).toHaveLength(count + 1);
  expect(lines("ts_metrics.log", "WorkerThreadTime")).toHaveLength(batches + 1);
  expect(lines("model_metrics.log", "HandlerTime")).toHaveLength(batches + 1);
  expect(lines("model_metrics.log", "PredictionTime")).toHaveLength(batches + 1);
  const milliseconds = String.raw`^[\dT:,-]+ - (?:PredictionTime|QueueTime)\.Milliseconds:\d+\.\d+`;
  expect(lines("model_metrics.log", "PredictionTime")[0]).toMatch(
    new RegExp(String.raw`${milliseconds}\|#ModelName:ledger,Level:Model\|#hostname:\S+,timestamp:\d+$`),
  );
  expect(lines("ts_metrics.log", "QueueTime")[0]).toMatch(
    new RegExp(String.raw`${milliseconds}\|#Level:Host\|#hostname:\S+,timestamp:\d+$`),
  );
  rmSync(folder, { recursive: true });
});

describe("the label model_version", () => {
  let server: Server;
  let client: RpcClient;
  afterAll(async () => {
    client.close();
    expect((await server.stop()).code, server.process.output).toBe(0);
  });
  const v2 = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 1] }] });

  async function askInAllWays(): Promise<void> {
    const paths = ["/predictions/moody", "/v1/models/moody:predict", "/predictions/moody/1.0"];
    const bodies = ["[1, 1]", '{"instances": [[1, 1]]}', "[1, 1]"];
    for (const [index, path] of paths.entries()) {
      expect((await call(server.port, { path, headers, body: bodies[index] ?? "" })).status).toBe(200);
    }
    for (const path of ["/v2/models/moody/infer", "/v2/models/moody/versions/1.0/infer"]) {
      expect((await call(server.port, { path, headers, body: v2 })).status).toBe(200);
    }
    for (const model of ["moody", "moody/1.0"])
      expect(await client.predict(model, "[1, 1]")).toMatchObject({ code: 0 });
  }

  /** By label. */
  async function figures(name: string): Promise<Record<string, number>> {
    const page = (await call(server.metricsPort, { path: `/metrics?name[]=${name}` })).body.toString();
    const rows = page.matchAll(/\{model_name="moody",model_version="([^"]+)",[^}]*\} (\S+)/g);
    return Object.fromEntries([...rows].map(([, label = "", value]): [string, number] => [label, Number(value)]));
  }

  async function serve(compat: string): Promise<void> {
    server = await Server.start([`${models}moody.pt`, "--compat", compat, "--grpc-inference-port", "0"]);
    client = new RpcClient(server.grpcPort);
  }

  test("with --compat torchserve it is default where no client named one, by REST, KServe and gRPC", async () => {
    await serve("torchserve");
    await askInAllWays();
    expect(await figures("ts_inference_requests_total")).toEqual({ default: 4, "1.0": 3 });
    for (const name of ["ts_inference_latency_microseconds", "ts_queue_latency_microseconds"]) {
      const found = await figures(name);
      expect(Object.keys(found).sort(), name).toEqual(["1.0", "default"]);
      expect(found["default"], name).toBeGreaterThan(0);
    }
    expect(await server.metric(/^sconce_requests_total\{model="moody",version="1\.0"/)).toBe(7);
    client.close();
    await server.stop();
  });

  test("with --compat sconce it is the version that answered", async () => {
    await serve("sconce");
    await askInAllWays();
    expect(await figures("ts_inference_requests_total")).toEqual({ "1.0": 7 });
  });
});
