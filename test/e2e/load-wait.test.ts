/** Requests for a model whose load is under way, on a real server: they wait for it where that is asked for. */
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, request, RpcClient } from "../integration/grpc-client.js";
import { call, jsonOf } from "./client.js";
import { errorOf, eventually, models, repository, Server } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-load-wait-"));
let server: Server;
let client: RpcClient;

/** Its load lasts until the file is there, and fails where that says so. */
const handler = (go: string, hooks: string): string => `
import { existsSync, readFileSync } from "node:fs";
export default {
  async initialize() {
    while (!existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 20));
    if (readFileSync(${JSON.stringify(go)}, "utf8") === "fail") throw new Error("told to fail");
  },
  ${hooks}
};
`;
const sizes = `
  preprocess: (request) => request.body.length,
  inference: (sizes) => sizes,
  postprocess: (size) => ({ size }),`;

const goOf = (name: string): string => join(folder, `${name}.go`);

function lay(name: string, hooks = sizes): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "handler.mjs"), handler(goOf(name), hooks));
  writeFileSync(join(folder, name, "model-config.yaml"), "handler: handler.mjs\n");
}

/** One that takes tensors. */
function layModel(name: string): void {
  lay(name, "postprocess: (output) => output,");
  copyFileSync(`${models}moody.pt`, join(folder, name, "model.pt"));
}

const waited = (name: string): Promise<number | undefined> =>
  server.metric(new RegExp(`^sconce_requests_waited_for_load_total\\{model="${name}"`));

beforeAll(async () => {
  for (const name of ["late", "broken", "never", "called", "cut"]) lay(name);
  for (const name of ["tensors"]) layModel(name);
  const flags = ["--load-wait", "20", "--grpc-inference-port", "0", "--predict-route", "/own/predict"];
  server = await Server.start(["--enable-model-api", "--model-store", folder, ...flags]);
  client = new RpcClient(server.grpcPort);
}, 60_000);
afterAll(async () => {
  client.close();
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function beginLoad(name: string, on = server): Promise<void> {
  const path = `/models?url=${name}&initial_workers=1&synchronous=false`;
  expect((await call(on.managementPort, { method: "POST", path })).status).toBe(202);
  await eventually(20_000, "the load", async () => {
    const answer = await call(on.port, { path: `/v2/models/${name}/ready` });
    return answer.status === 503 || answer.status === 400 ? true : undefined;
  });
}

test("small, large and chunked bodies, by every protocol, wait for the load and are answered by the model", async () => {
  await beginLoad("late");
  const large = Buffer.alloc(3_000_000, 0x20);
  const ask = (path: string, body: string | Buffer) => call(server.port, { method: "POST", path, body });
  const asked = [
    ask("/predictions/late", "[1]"),
    ask("/predictions/late/1.0", large),
    ask("/v2/models/late/infer", "[1,2]"),
    ask("/v1/models/late:predict", "12345"),
    // The only model there is.
    ask("/invocations", "1234567"),
    ask("/own/predict", "123456789"),
  ];
  const first = await Promise.race([...asked, new Promise((resolve) => setTimeout(resolve, 500, "waits"))]);
  expect(first).toBe("waits");
  writeFileSync(goOf("late"), "");
  const answers = await Promise.all(asked);
  expect(answers.map((answer) => [answer.status, answer.body.toString()])).toEqual(
    [3, 3_000_000, 5, 5, 7, 9].map((size) => [200, JSON.stringify({ size })]),
  );
  await eventually(20_000, "the count", async () => ((await waited("late")) === 6 ? true : undefined));
  expect((await ask("/predictions/late", "[]")).status).toBe(200);
  expect(await waited("late")).toBe(6);
});

/** Opens the Open Inference Protocol's service. */
function tensorClient(): grpc.Client & Record<"ModelInfer" | "ModelStreamInfer" | "ModelReady", Called> {
  const definition = loadSync(`${repository}proto/open_inference.proto`, { keepCase: true, longs: Number });
  const { inference } = grpc.loadPackageDefinition(definition) as unknown as {
    inference: { GRPCInferenceService: grpc.ServiceClientConstructor };
  };
  const credentials = grpc.credentials.createInsecure();
  return new inference.GRPCInferenceService(`127.0.0.1:${server.grpcPort}`, credentials) as never;
}
type Called = (
  request?: object,
  done?: (error: unknown, answer: unknown) => void,
) => grpc.ClientDuplexStream<object, object>;

const openCalls = (of = server): Promise<number> => of.metric(/^sconce_(grpc_open_calls|http_in_flight)/);

test("calls by gRPC wait too, each message of a stream, and readiness does not", async () => {
  await beginLoad("called");
  await beginLoad("tensors");
  const tensors = tensorClient();
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], contents: { fp32_contents: [1, 1] } }];
  const of = (method: "ModelInfer" | "ModelReady", asked: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      tensors[method](asked, (error, answer) => (error instanceof Error ? reject(error) : resolve(answer)));
    });
  const streamed = tensors.ModelStreamInfer();
  const ids: unknown[] = [];
  streamed.on("data", ({ infer_response }: { infer_response: { id: string } }) => ids.push(infer_response.id));
  const streamEnded = new Promise((resolve) => streamed.once("end", resolve));
  for (const id of ["a", "b"]) streamed.write({ model_name: "tensors", id, inputs });
  streamed.end();
  const talk = client.stream();
  const talked = collect(talk);
  for (const data of ["1", "22"]) talk.write(request("called", data));
  talk.end();
  const asked = Promise.all([
    of("ModelInfer", { model_name: "tensors", inputs }),
    client.predict("called", "[1]"),
    collect(client.pieces(request("called", "[22]"))),
    talked,
  ]);
  await eventually(20_000, "the calls", async () => ((await openCalls()) === 5 ? true : undefined));
  expect(await of("ModelReady", { name: "tensors" })).toEqual({ ready: false });
  expect((await call(server.port, { path: "/ping" })).status).toBe(503);
  expect(await openCalls()).toBe(5);
  for (const name of ["called", "tensors"]) writeFileSync(goOf(name), "");
  const [inferred, predicted, pieces, answers] = await asked;
  await streamEnded;
  expect(inferred).toMatchObject({ model_name: "tensors" });
  expect(ids).toEqual(["a", "b"]);
  expect(predicted.text).toBe('{"size":3}');
  expect(pieces.answers.map(({ prediction }) => prediction.toString())).toEqual(['{"size":4}']);
  expect(answers.answers.map(({ prediction }) => prediction.toString())).toEqual(['{"size":1}', '{"size":2}']);
  await eventually(20_000, "the counts", async () =>
    (await waited("called")) === 4 && (await waited("tensors")) === 3 ? true : undefined,
  );
  tensors.close();
});

test("who leaves while waiting leaves nothing behind", async () => {
  await beginLoad("cut");
  const late = await client.predict("cut", "[1]", { deadlineMs: 300 });
  const left = await client.predict("cut", "[1]", { onCall: (open) => setTimeout(() => open.cancel(), 300) });
  expect([late.code, left.code]).toEqual([grpc.status.DEADLINE_EXCEEDED, grpc.status.CANCELLED]);
  const leaving = new AbortController();
  const url = `http://127.0.0.1:${server.port}/invocations?model_name=cut`;
  const fetched = fetch(url, { method: "POST", body: "[1]", signal: leaving.signal }).catch(() => "left");
  await eventually(20_000, "the request", async () => ((await openCalls()) === 1 ? true : undefined));
  leaving.abort();
  expect(await fetched).toBe("left");
  await eventually(20_000, "nothing open", async () => ((await openCalls()) === 0 ? true : undefined));
});

test("the server's end keeps nobody waiting", async () => {
  const flags = ["--load-wait", "20", "--grpc-inference-port", "0"];
  const ending = await Server.start(["--enable-model-api", "--model-store", folder, ...flags]);
  const caller = new RpcClient(ending.grpcPort);
  await beginLoad("never", ending);
  const asked = [
    caller.predict("never", "[1]").then(({ code }) => code),
    call(ending.port, { method: "POST", path: "/predictions/never", body: "[1]" }).then(({ status }) => status),
  ];
  await eventually(20_000, "two that wait", async () => ((await openCalls(ending)) === 2 ? true : undefined));
  const began = performance.now();
  expect((await ending.stop()).code).toBe(0);
  // Far less than the wait.
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(await Promise.all(asked)).toEqual([grpc.status.UNAVAILABLE, 503]);
  caller.close();
});

test("a load that fails tells those that wait why", async () => {
  await beginLoad("broken");
  const asked = call(server.port, { method: "POST", path: "/predictions/broken", body: "[1]" });
  writeFileSync(goOf("broken"), "fail");
  const answer = await asked;
  expect([answer.status, errorOf(answer).message]).toEqual([503, expect.stringMatching(/told to fail/)]);
});

test("without --load-wait the answer is 503 at once, and tells what the load is at", async () => {
  const hasty = await Server.start(["--enable-model-api", "--model-store", folder]);
  const path = "/models?url=never&initial_workers=1&synchronous=false";
  expect((await call(hasty.managementPort, { method: "POST", path })).status).toBe(202);
  const answer = await eventually(20_000, "the refusal", async () => {
    const got = await call(hasty.port, { method: "POST", path: "/predictions/never", body: "[1]" });
    return got.status === 503 ? got : undefined;
  });
  expect((jsonOf(answer) as { message: string }).message).toMatch(/"never" version 1.0 is loading/);
  // The only model there will be.
  expect((await call(hasty.port, { method: "POST", path: "/invocations", body: "[1]" })).status).toBe(503);
  await hasty.stop("SIGKILL");
});
