/** What hosting services ask of a container, of a real server process: Vertex AI, SageMaker with one model and with many. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { freePorts, models, repository, Server, ServerProcess } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-hosting-"));
afterAll(() => rmSync(root, { recursive: true }));
const digits = `${repository}examples/digits/digits.mar`;
const seven = readFileSync(`${repository}examples/digits/7.png`);
const others = ["--management-port", "0", "--metrics-port", "0"];

/** The first of two neighbouring free ports, twice. */
async function neighbours(): Promise<[number, number]> {
  const found: number[] = [];
  while (found.length < 2) {
    const [port = 0] = await freePorts(1);
    if (port < 65_535 && found.every((each) => Math.abs(each - port) > 1) && (await isFree(port + 1))) found.push(port);
  }
  return found as [number, number];
}

function isFree(port: number): Promise<boolean> {
  const listener = createServer();
  return new Promise((resolve) => {
    listener.on("error", () => resolve(false));
    listener.listen(port, "127.0.0.1", () => listener.close(() => resolve(true)));
  });
}

let server: Server | undefined;
afterEach(async () => {
  const running = server;
  server = undefined;
  if (running !== undefined) expect((await running.stop()).code, running.process.output).toBe(0);
});

test("Vertex AI: its port, its routes, its form of requests", async () => {
  const [port = 0] = await freePorts(1);
  const route = "/v1/endpoints/123/deployedModels/456";
  const env = {
    ...{ AIP_MODE: "PREDICTION", AIP_HTTP_PORT: String(port), AIP_STORAGE_URI: "gs://bucket/model" },
    ...{ AIP_HEALTH_ROUTE: route, AIP_PREDICT_ROUTE: `${route}:predict` },
  };
  server = await Server.start([digits, ...others], { env, ownPorts: true });
  expect(server.process.stdout).toContain(`inference http://0.0.0.0:${port}`);
  expect(server.process.stderr).toContain("AIP_STORAGE_URI is not read");
  expect((await call(port, { path: route })).status).toBe(200);
  const body = JSON.stringify({
    instances: [{ image_bytes: { b64: seven.toString("base64") } }, { b64: seven.toString("base64") }],
    parameters: { confidence: 0.5 },
  });
  const answer = await call(port, { path: `${route}:predict`, body });
  const { predictions } = jsonOf(answer) as { predictions: object[] };
  expect([answer.status, predictions.map((each) => Object.keys(each)[0])]).toEqual([200, ["seven", "seven"]]);
  // rawPredict hands on whatever is sent.
  expect(Object.keys(jsonOf(await call(port, { path: `${route}:predict`, body: seven })) as object)[0]).toBe("seven");
  expect((await call(port, { path: `${route}:explain`, body: seven })).status).toBe(404);
});

test("SageMaker: the model that it laid down, /ping and /invocations at the port that it names", async () => {
  const [port = 0] = await freePorts(1);
  const folder = join(root, "opt-ml-model");
  mkdirSync(folder);
  cpSync(digits, join(folder, "digits.mar"));
  const env = { SAGEMAKER_BIND_TO_PORT: String(port), SM_MODEL_DIR: folder };
  server = await Server.start(others, { env, ownPorts: true });
  expect((await call(port, { path: "/ping" })).status).toBe(200);
  const headers = { "content-type": "image/png", "x-amzn-sagemaker-custom-attributes": "a=b" };
  const answer = await call(port, { path: "/invocations", body: seven, headers });
  expect([answer.status, Object.keys(jsonOf(answer) as object)[0]]).toEqual([200, "seven"]);
});

test("SageMaker: several containers share a network, each with a range of ports; a batch transform asks how", async () => {
  const [one = 0, two = 0] = await freePorts(2);
  const start = async (port: number, first: number): Promise<Server> => {
    const range = `${first}-${first + 1}`;
    const env = { SAGEMAKER_BIND_TO_PORT: String(port), SAGEMAKER_SAFE_PORT_RANGE: range };
    return Server.start([digits], { env, ownPorts: true });
  };
  const [first, second] = await neighbours();
  server = await start(one, first);
  const beside = await start(two, second);
  expect(beside.process.stdout).toContain(
    `management http://127.0.0.1:${second} metrics http://127.0.0.1:${second + 1}`,
  );
  const parameters = await call(two, { path: "/execution-parameters" });
  expect([parameters.status, jsonOf(parameters)]).toEqual([200, expect.objectContaining({ MaxPayloadInMB: 6 })]);
  expect((await call(two, { path: "/execution-parameters", method: "DELETE" })).status).toBe(405);
  expect((await beside.stop()).code).toBe(0);
});

test("a container without the model that it was given does not start, let alone say that it is well", async () => {
  const empty = mkdtempSync(join(root, "empty-"));
  const [port = 0] = await freePorts(1);
  const start = async (env: Readonly<Record<string, string>>): Promise<[number | null, string]> => {
    const started = new ServerProcess(others, { env, ownPorts: true });
    const { code } = await started.ended(20_000);
    return [code, started.stderr];
  };
  const vertex = { AIP_HTTP_PORT: String(port), AIP_STORAGE_URI: "gs://bucket/model", SM_MODEL_DIR: empty };
  expect(await start(vertex)).toEqual([3, expect.stringContaining("gs://bucket/model: is not fetched by sconce")]);
  expect(await start({ SCONCE_PORT: "0", SM_MODEL_DIR: empty })).toEqual([
    3,
    expect.stringContaining(`${empty}: holds no model, and no other is named (SM_MODEL_DIR)`),
  ]);
});

describe("SageMaker with many models", () => {
  const lay = (id: string, from: string, name: string): string => {
    const folder = join(root, "models", id, "model");
    mkdirSync(folder, { recursive: true });
    cpSync(from, join(folder, name));
    return folder;
  };
  const one = lay("0a1b", digits, "digits.mar");
  const two = lay("2c3d", `${models}moody.pt`, "moody.pt");
  cpSync(`${models}moody.yaml`, join(two, "moody.yaml"));
  const torn = lay("4e5f", digits, "torn.mar");
  writeFileSync(join(torn, "torn.mar"), "torn");
  symlinkSync(repository, join(root, "models", "link"));
  const linked = join(root, "models", "6a7b", "model");
  mkdirSync(linked, { recursive: true });
  symlinkSync(digits, join(linked, "digits.mar"));

  const ask = (path: string, method = "GET", body?: unknown): Promise<Answer> =>
    call(server!.port, {
      path,
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const load = (name: unknown, url: unknown): Promise<Answer> => ask("/models", "POST", { model_name: name, url });

  beforeEach(async () => {
    const env = { SAGEMAKER_MULTI_MODEL: "true" };
    server = await Server.start(["--multi-model-root", join(root, "models")], { env });
  });

  test("load, list, describe, invoke, unload", async () => {
    expect([(await ask("/ping")).status, jsonOf(await ask("/models"))]).toEqual([200, { models: [] }]);
    expect((await load("a-1", one)).status).toBe(200);
    expect((await load("b.2", two)).status).toBe(200);
    const again = await load("a-1", two);
    expect([again.status, again.body.toString()]).toEqual([409, expect.stringContaining("a-1")]);
    const listed = [one, two].map((url, at) => ({ modelName: ["a-1", "b.2"][at], modelUrl: url }));
    expect(jsonOf(await ask("/models"))).toEqual({ models: listed });
    expect(jsonOf(await ask("/models?limit=1"))).toEqual({ nextPageToken: "1", models: listed.slice(0, 1) });
    expect(jsonOf(await ask("/models/b.2"))).toEqual(listed[1]);
    const { port } = server!;
    const picture = await call(port, { path: "/models/a-1/invoke", body: seven });
    expect(Object.keys(jsonOf(picture) as object)[0]).toBe("seven");
    expect((await ask("/models/b.2/invoke", "POST", [1, 2])).status).toBe(200);

    expect((await ask("/models/a-1", "DELETE")).status).toBe(200);
    expect((await ask("/models/a-1", "DELETE")).status).toBe(404);
    expect((await ask("/models/a-1")).status).toBe(404);
    expect((await call(port, { path: "/models/a-1/invoke", body: seven })).status).toBe(404);
    expect((await ask("/models/b.2/invoke", "POST", [1, 2])).status).toBe(200);
    expect((await load("a-1", one)).status).toBe(200);
  });

  test("what is refused says why and leaves nothing", async () => {
    const status = async (name: unknown, url: unknown): Promise<[number, string]> => {
      const answer = await load(name, url);
      return [answer.status, (jsonOf(answer) as { message: string }).message];
    };
    expect(await status("torn", torn)).toEqual([400, expect.stringContaining("torn.mar")]);
    expect(await status("out", "/etc")).toEqual([400, expect.stringContaining("--multi-model-root")]);
    expect(await status("out", join(root, "models"))).toEqual([400, expect.stringContaining("--multi-model-root")]);
    expect(await status("out", `${one}/../../2c3d/model`)).toEqual([400, expect.stringContaining("no folder below")]);
    expect(await status("out", "0a1b/model")).toEqual([400, expect.stringContaining("no folder below")]);
    expect(await status("out", join(root, "models/link/examples/digits/digits.mar"))).toEqual([
      404,
      expect.stringContaining("a link to elsewhere"),
    ]);
    expect(await status("out", linked)).toEqual([400, expect.stringContaining("holds no .pt or .pt2 file")]);
    expect(await status("none", join(root, "models/none/model"))).toEqual([404, expect.stringContaining("not found")]);
    expect(await status("a/b", one)).toEqual([400, expect.stringContaining("model_name")]);
    expect(await status(7, one)).toEqual([400, expect.stringContaining("expected")]);
    expect((await ask("/models", "POST", "{broken")).status).toBe(400);
    expect((await ask("/models", "POST", " ".repeat(70_000))).status).toBe(413);
    expect((await ask("/models", "PUT", "{}")).status).toBe(405);
    expect((await ask("/models/a-1/1.0")).status).toBe(404);
    // Nothing of the management API is on this port.
    expect((await ask("/models?url=digits.mar", "POST")).status).toBe(400);
    expect((await ask("/metrics")).status).toBe(404);
    expect(jsonOf(await ask("/models"))).toEqual({ models: [] });
    expect((await ask("/ping")).status).toBe(200);
  });
});

test("the inference port has one /models", async () => {
  const words = ["--multi-model", "--port", "18999", "--management-port", "18999"];
  const started = new ServerProcess(words, { ownPorts: true });
  expect((await started.ended(20_000)).code).toBe(2);
  expect(started.stderr).toContain("--multi-model: the inference port has one /models");
});
