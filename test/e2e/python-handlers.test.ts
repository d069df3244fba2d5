/**
 * Handlers written for TorchServe, run unchanged by the worker of the `torchserve` package, on a real server. Skipped by
 * name where no Python here has torch and torchserve (SCONCE_PYTHON names one).
 */
import { status } from "@grpc/grpc-js";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RpcClient } from "../integration/grpc-client.js";
import { type Answer, call, jsonOf } from "./client.js";
import { torchPython as python } from "./python.js";
import { errorOf, eventually, repository, Server } from "./server.js";

const store = join(repository, "test/fixtures/python-handlers");
const json = { "content-type": "application/json" };

interface Told {
  readonly greeting: string;
  readonly header: string | null;
  readonly id: string;
  readonly secret: string | null;
  readonly batch: number;
}

describe.skipIf(python === undefined)("handlers of TorchServe's", () => {
  let server: Server;
  beforeAll(async () => {
    const words = [
      join(repository, "examples/iris/iris.mar"),
      "--model-store",
      store,
      "--models",
      "tricks",
      "eager",
      "--python",
      python ?? "",
      "--default-workers",
      "1",
    ];
    server = await Server.start([...words, "--enable-model-api", "--grpc-inference-port", "0"], {
      env: { SCONCE_TEST_SECRET: "hidden" },
    });
  }, 90_000);
  afterAll(() => server.stop("SIGKILL"));

  const tell = (model: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    call(server.port, {
      method: "POST",
      path: `/predictions/${model}`,
      headers: { ...json, ...headers },
      body: JSON.stringify(body),
    });
  const manage = (method: string, path: string): Promise<Answer> => call(server.managementPort, { method, path });
  interface Worker {
    readonly pid: number;
    readonly status: string;
    readonly memoryUsage: number;
  }
  const workers = async (): Promise<readonly Worker[]> => {
    const [shown] = jsonOf(await manage("GET", "/models/tricks")) as [{ workers: Worker[] }];
    return shown.workers;
  };

  test("describe_handle is the customized metadata", async () => {
    const [described] = jsonOf(await manage("GET", "/models/eager?customized=true")) as [object];
    expect(described).toMatchObject({ modelName: "eager", customizedMetadata: { classes: 2 } });
  });

  test("an eager model: its file, its state dict and a handler that derives from BaseHandler", async () => {
    const answers = await Promise.all([tell("eager", [1, 2, 3]), tell("eager", [0, 0, 0])]);
    expect(answers.map((answer) => jsonOf(answer))).toEqual([
      [24, 20],
      [10, 20],
    ]);
  });

  test("examples/iris: the page's request and answer", async () => {
    const page = readFileSync(join(repository, "examples/iris/README.md"), "utf8");
    const body = /curl .* -d '(.*)' localhost/.exec(page)?.[1] ?? "";
    const wanted = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "") as unknown;
    const without = JSON.stringify({ ...(JSON.parse(body) as object), petal_width: undefined });
    const send = (text: string) => call(server.port, { path: "/predictions/iris", headers: json, body: text });
    const [answer, refused] = await Promise.all([send(body), send(without)]);
    expect([answer.status, jsonOf(answer), answer.headers.get("x-kind")]).toEqual([200, wanted, "setosa"]);
    expect(errorOf(refused)).toMatchObject({ code: 503, message: "Prediction failed" });
    await eventually(20_000, "the handler's words in the log", () =>
      server.process.stderr.includes("ValueError: missing: petal_width") ? true : undefined,
    );
  });

  test("what it counts and measures is at the metrics port", async () => {
    for (let i = 0; i < 3; i++) expect((await tell("tricks", { do: "count" })).status).toBe(200);
    const page = async (): Promise<string> =>
      (await call(server.metricsPort, { path: "/metrics?name[]=Cups&name[]=Brewing" })).body.toString();
    const text = await eventually(20_000, "three counts", async () => {
      const got = await page();
      return got.includes("} 6.0") ? got : undefined;
    });
    expect(text).toMatch(/^# TYPE Cups counter\nCups\{ModelName="tricks",Level="Model",Hostname="[^"]+",\} 6\.0$/m);
    expect(text).toMatch(
      /^# TYPE Brewing gauge\nBrewing\{ModelName="tricks",Level="Model",Hostname="[^"]+",\} 12\.5$/m,
    );
  });

  test("a handler sees its yaml, headers and ids, and nothing of the server's environment", async () => {
    const answer = await tell("tricks", {}, { "x-request-id": "mine", "X-Own": "yes" });
    const told = jsonOf(answer) as Told;
    expect(told).toEqual({ greeting: "hello", header: "yes", id: "mine", secret: null, batch: 1 });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(server.process.stderr).toContain('"message":"tricks is there","model":"tricks"');
  });

  test("requests that come together are one batch", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => tell("tricks", {})));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(Math.max(...answers.map((answer) => (jsonOf(answer) as Told).batch))).toBe(4);
  });

  test("status, headers and type of the answer are the handler's; text and bytes come as they are", async () => {
    const teapot = await tell("tricks", { do: "teapot" });
    expect(teapot.status).toBe(418);
    expect([teapot.headers.get("x-cup"), teapot.headers.get("content-type")]).toEqual(["1", "text/tea"]);
    expect(teapot.body.toString()).toBe("short and stout");
    const path = "/predictions/tricks";
    const text = await call(server.port, {
      method: "POST",
      path,
      headers: { "content-type": "text/plain" },
      body: "wörter",
    });
    expect([text.body.toString(), text.headers.get("content-type")]).toEqual(["wörter", "text/plain; charset=utf-8"]);
    const octets = { "content-type": "application/octet-stream" };
    const bytes = await call(server.port, { method: "POST", path, headers: octets, body: Buffer.from([0xff, 0, 1]) });
    expect([...bytes.body]).toEqual([0xff, 0, 1]);
    const form = { "content-type": "multipart/form-data; boundary=b" };
    const part = (head: string, value: string) =>
      call(server.port, {
        method: "POST",
        path,
        headers: form,
        body: `--b\r\ncontent-disposition: form-data; name="data"${head}\r\n\r\n${value}\r\n--b--\r\n`,
      });
    const typed = '; filename="a"\r\ncontent-type: application/json';
    expect(jsonOf(await part(typed, "{}"))).toMatchObject({ batch: 1 });
    const kinds = ["", '; filename="a"', '; filename="a"\r\ncontent-type: text/plain', "\r\ncontent-type: text/plain"];
    const told = await Promise.all(kinds.map((head) => part(head, "type")));
    expect(told.map((answer) => answer.body.toString())).toEqual(["bytearray", "bytearray", "str", "bytearray"]);
  });

  test("by gRPC it gets the input under the client's name, and its own refusals arrive with its words", async () => {
    const client = new RpcClient(server.grpcPort);
    const metadata = client.newMetadata({ "x-sconce-content-type": "application/json" });
    const ask = (verb: string) => client.predict("tricks", JSON.stringify({ do: verb }), { metadata });
    expect(JSON.parse((await ask("inputs")).text)).toEqual({ data: { do: "inputs" } });
    const named = { model_name: "tricks", input: { mine: Buffer.from('{"do":"inputs"}') } };
    const tell = await client.call("inference", "Predictions", named, { metadata });
    expect((tell.message as { readonly prediction: Buffer }).prediction.toString()).toContain("greeting");
    const outcomes = await Promise.all(["refuse", "teapot", "raise"].map(ask));
    expect(outcomes.map(({ code, details }) => [code, details])).toEqual([
      [status.INTERNAL, "no such thing"],
      [status.INVALID_ARGUMENT, "short and stout"],
      [status.UNAVAILABLE, "Prediction failed"],
    ]);
    client.close();
  });

  test("is asked under the paths of KServe and SageMaker, too, and gets what it would get", async () => {
    const ask = async (path: string) =>
      jsonOf(await call(server.port, { method: "POST", path, headers: json, body: '{"do":"inputs"}' }));
    const body = { do: "inputs" };
    expect(await ask("/v1/models/tricks:predict")).toEqual({ body });
    expect(await ask("/v2/models/tricks/infer")).toEqual({ body });
    expect(await ask("/predictions/tricks?k=1")).toEqual({ body });
    expect(await ask("/models/tricks/invoke?k=1")).toEqual({ k: "1", body });
    expect(await ask("/invocations?model_name=tricks")).toEqual({ model_name: "tricks", body });
    expect(await ask("/tricks/predict?k=a%20b")).toEqual({ k: "a b", body });
  });

  test("streams its intermediate answers", async () => {
    const answer = await tell("tricks", { do: "stream" });
    expect([answer.status, answer.body.toString()]).toEqual([200, "0 1 2 bye"]);
  });

  test("what it raises fails its request alone, with TorchServe's words or its own code", async () => {
    const answers = await Promise.all([tell("tricks", {}), tell("tricks", { do: "raise" }), tell("tricks", {})]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 503, 200]);
    expect(errorOf(answers[1])).toMatchObject({
      type: "InternalServerException",
      message: "Prediction failed",
    });
    const refused = errorOf(await tell("tricks", { do: "refuse" }));
    expect(refused).toEqual({ code: 599, type: "InternalServerException", message: "no such thing" });
  });

  test("a crash fails its request; the next one waits for the new worker, and /ping stays", async () => {
    const [before] = await workers();
    const [crashed, next] = await Promise.all([tell("tricks", { do: "exit" }), tell("tricks", {})]);
    expect(errorOf(crashed)).toMatchObject({ code: 500, message: "Worker died." });
    expect((await call(server.port, { path: "/ping" })).status).toBe(200);
    expect(next.status).toBe(200);
    const [after] = await workers();
    expect(after?.pid).not.toBe(before?.pid);
    // A Python process with torch in it.
    expect(after?.memoryUsage).toBeGreaterThan(50e6);
    const [described] = jsonOf(await manage("GET", "/models/tricks")) as [{ sconce: { events: { what: string }[] } }];
    const said = described.sconce.events.map(({ what }) => what);
    const crash = said.findIndex((what) => what.startsWith(`worker ${before?.pid} ended with exit code`));
    expect(said[crash]).toContain("another one in");
    expect(said.slice(crash)).toContain(`worker ${after?.pid} is there again`);
  });

  test("scaled by the management API", async () => {
    const up = await manage("PUT", "/models/tricks?min_worker=2&synchronous=true");
    expect([up.status, (await workers()).map(({ status }) => status)]).toEqual([200, ["READY", "READY"]]);
    const down = await manage("PUT", "/models/tricks?min_worker=1&synchronous=true");
    expect([down.status, (await workers()).length]).toEqual([200, 1]);
  });

  test("registered and unregistered while it runs", async () => {
    const path = "/models?url=eager&model_name=again&initial_workers=1&synchronous=true";
    expect((await manage("POST", path)).status).toBe(200);
    expect(jsonOf(await tell("again", [1, 0, 0]))).toEqual([11, 19]);
    expect((await manage("DELETE", "/models/again")).status).toBe(200);
    expect((await tell("again", [1, 0, 0])).status).toBe(404);
  });

  // The last one: there is no server after it.
  test("SIGKILL of the server: its workers and their children are gone", async () => {
    const { worker, child } = jsonOf(await tell("tricks", { do: "child" })) as { worker: number; child: number };
    expect([ended(worker), ended(child)]).toEqual([false, false]);
    await server.stop("SIGKILL");
    for (const pid of [worker, child]) {
      await eventually(5000, `process ${pid} to end`, () => (ended(pid) ? true : undefined));
    }
  });

  test("workers' output and metrics have the files of their own", { timeout: 90_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-worker-logs-"));
    const words = ["--model-store", store, "--models", "tricks", "--python", python ?? "", "--default-workers", "1"];
    const list = join(folder, "metrics.yaml");
    writeFileSync(
      list,
      "model_metrics:\n  counter:\n    - {name: Cups, unit: count, dimensions: [ModelName, Level]}\n",
    );
    const logging = [
      "--worker-metrics",
      list,
      "--log-folder",
      folder,
      "--metrics-mode",
      "log",
      "--log-format",
      "torchserve",
    ];
    const server = await Server.start([...words, ...logging]);
    const body = JSON.stringify({ do: "count" });
    const answer = await call(server.port, { path: "/predictions/tricks", headers: json, body });
    expect(answer.status).toBe(200);
    await server.stop();
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    expect(read("model_log.log")).toMatch(/^\S+ \[INFO \] W-1-tricks_\S+-stdout MODEL_LOG - .*Torch worker started/m);
    expect(read("model_metrics.log")).toMatch(
      /^[\dT:,-]+ - Cups\.Count:2\.0\|#ModelName:tricks,.*,requestID:.+,timestamp:\d+$/m,
    );
    // The batch's own times are the worker's to tell, which the list does not name; its wait is the server's.
    expect(read("model_metrics.log")).not.toContain("PredictionTime");
    expect(read("ts_metrics.log").match(/ - QueueTime\.Milliseconds:/g)).toHaveLength(1);
    expect(read("ts_metrics.log").match(/ - WorkerThreadTime\.Milliseconds:/g)).toHaveLength(1);
    // Not in the list.
    expect(read("model_metrics.log")).not.toContain("Brewing");
    expect(read("ts_log.log")).not.toContain("Cups");
    expect(read("ts_log.log")).not.toContain("Torch worker started");
    expect(read("ts_log.log")).toContain("model ready");
    expect(server.process.stderr).toBe("");
    rmSync(folder, { recursive: true });
  });
});

function ended(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

test("without a suitable Python the start says what is missing and how to add it", { timeout: 30_000 }, () => {
  const found = spawnSync(
    process.execPath,
    [
      join(repository, "dist/main.js"),
      "serve",
      join(store, "tricks"),
      "--port",
      "0",
      "--management-port",
      "0",
      "--metrics-port",
      "0",
      "--python",
      "/nowhere/python",
    ],
    { encoding: "utf8" },
  );
  expect(found.status).toBe(3);
  expect(found.stderr).toMatch(
    /the Python that --python names \(\/nowhere\/python\) cannot run it: there is no such program/,
  );
});
