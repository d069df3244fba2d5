/** TorchServe's gRPC management service of a real server: the same operations and words as REST. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { RpcClient } from "../integration/grpc-client.js";
import { call, jsonOf } from "./client.js";
import { errorOf, models, Server } from "./server.js";

const store = mkdtempSync(join(tmpdir(), "sconce-rpc-store-"));
for (const file of ["ledger.pt", "ledger.yaml"]) copyFileSync(`${models}${file}`, join(store, file));
// The next version of it, with another model's inputs.
mkdirSync(join(store, "other", "MAR-INF"), { recursive: true });
for (const file of ["moody.pt", "moody.yaml"]) copyFileSync(`${models}${file}`, join(store, "other", file));
const model = { modelName: "ledger", modelVersion: "2.0", serializedFile: "moody.pt", configFile: "moody.yaml" };
writeFileSync(join(store, "other", "MAR-INF", "MANIFEST.json"), JSON.stringify({ model }));
const sample = JSON.stringify(Array.from({ length: 16 }, (_, i) => i - 8));
const ports = ["--grpc-inference-port", "0", "--grpc-management-port", "0"];

let server: Server;
let client: RpcClient;
let predictor: RpcClient;
beforeAll(async () => {
  server = await Server.start(["--model-store", store, "--enable-model-api", ...ports]);
  client = new RpcClient(server.grpcManagementPort);
  predictor = new RpcClient(server.grpcPort);
});
afterAll(async () => {
  client.close();
  predictor.close();
  expect((await server.stop()).code, server.process.output).toBe(0);
  rmSync(store, { recursive: true });
});

const manage = async (method: string, message: object): Promise<{ code: number; text: string }> => {
  const { code, details, message: answer } = await client.call("management", method, message);
  return { code, text: code === 0 ? String(answer["msg"]) : details };
};
const rest = async (path: string): Promise<string> =>
  (await call(server.managementPort, { path, method: "GET" })).body.toString();

test("a model's life: register, describe, scale, default, unregister, seen by both protocols", async () => {
  const registered = await manage("RegisterModel", { url: "ledger.pt", synchronous: true, initial_workers: 1 });
  expect(registered).toEqual({
    code: 0,
    text: expect.stringContaining('Model "ledger" Version: 1.0 registered') as string,
  });
  // Answered means visible: on the gRPC thread and on the HTTP threads.
  expect((await predictor.predict("ledger", sample)).code).toBe(0);
  expect((await call(server.port, { path: "/predictions/ledger", body: sample })).status).toBe(200);

  expect(await manage("ListModels", {})).toEqual({ code: 0, text: await rest("/models") });
  const described = JSON.parse((await manage("DescribeModel", { model_name: "ledger" })).text) as object[];
  expect(described).toMatchObject([{ modelName: "ledger", modelVersion: "1.0", modelUrl: "ledger.pt" }]);

  const scaled = await manage("ScaleWorker", { model_name: "ledger", min_worker: 2, synchronous: true });
  expect(scaled).toEqual({ code: 0, text: "Workers scaled to 2 for model: ledger" });
  const set = await manage("SetDefault", { model_name: "ledger", model_version: "1.0" });
  expect(set.text).toBe('Default version successfully updated for model "ledger" to "1.0"');

  const again = await manage("RegisterModel", { url: "ledger.pt", synchronous: true });
  expect(again.code).toBe(rpcStatus.ALREADY_EXISTS);
  expect(await manage("UnregisterModel", { model_name: "ledger" })).toEqual({
    code: 0,
    text: 'Model "ledger" unregistered',
  });
  expect((await predictor.predict("ledger", sample)).code).toBe(rpcStatus.NOT_FOUND);
});

test("an incompatible version becomes the default only when forced, and says what differs; schemas are published", async () => {
  for (const url of ["ledger.pt", "other"]) {
    expect((await manage("RegisterModel", { url, synchronous: true, initial_workers: 1 })).code).toBe(0);
  }
  const schema = JSON.parse(await rest("/models/ledger/2.0/schema")) as { inputs: { shape: number[] }[] };
  expect(schema).toMatchObject({ modelName: "ledger", modelVersion: "2.0", handler: "base_handler" });
  expect(schema.inputs).toHaveLength(1);
  expect(await rest("/models/ledger/2.0")).toContain('"schema": {');
  expect(await rest("/models/ledger/9/schema")).toContain("ModelVersionNotFoundException");
  const two = { model_name: "ledger", model_version: "2.0" };
  const refused = await manage("SetDefault", two);
  expect(refused).toEqual({
    code: rpcStatus.FAILED_PRECONDITION,
    text: expect.stringMatching(/input \w+: .*force=true/) as string,
  });
  const put = (query: string) =>
    call(server.managementPort, { method: "PUT", path: `/models/ledger/2.0/set-default${query}` });
  expect(errorOf(await put(""))).toMatchObject({ code: 409, type: "IncompatibleVersionException" });
  const forced = jsonOf(await put("?force=true")) as { readonly differences: readonly string[] };
  expect(forced.differences.length).toBeGreaterThan(0);
  const back = { ...two, model_version: "1.0", force: true };
  expect((await manage("SetDefault", back)).text).toMatch(/updated for model "ledger" to "1.0" \(input/);
  for (const model_version of ["2.0", "1.0"]) {
    expect((await manage("UnregisterModel", { ...two, model_version })).code).toBe(0);
  }
});

test.each([
  ["RegisterModel", {}, "INVALID_ARGUMENT", /Parameter url is required/],
  ["RegisterModel", { url: "none.mar" }, "NOT_FOUND", /none\.mar/],
  ["DescribeModel", { model_name: "nobody" }, "NOT_FOUND", /Model not found: nobody/],
  ["ScaleWorker", { model_name: "nobody", min_worker: 2, max_worker: 1 }, "INVALID_ARGUMENT", /max_worker/],
  ["UnregisterModel", { model_name: "nobody" }, "NOT_FOUND", /nobody/],
  ["SetDefault", { model_version: "1" }, "INVALID_ARGUMENT", /model_name is required/],
] as const)("%s %j: %s", async (method, message, status, words) => {
  const refused = await manage(method, message);
  expect(refused.text).toMatch(words);
  expect(refused.code, refused.text).toBe(rpcStatus[status]);
});
