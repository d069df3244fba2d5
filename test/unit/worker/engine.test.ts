/**
 * Models of Python workers beside the engine's own, from a thread's door to the worker and back. The worker speaks
 * TorchServe's protocol without torch (test/fixtures/python-worker).
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openFakeEngine } from "../../../src/engine/fake.js";
import type { AnswerHead, HandlerRequest, Reply } from "../../../src/handlers/handler.js";
import { createLog } from "../../../src/telemetry/log.js";
import type { ModelSpec } from "../../../src/types.js";
import { Door } from "../../../src/worker/door.js";
import { type PythonEngine, withPython } from "../../../src/worker/engine.js";
import { testConfig } from "../../integration/support.js";
import { specOf } from "../../contract/specs.js";

const home = join(import.meta.dirname, "../../fixtures/python-worker");
const executable = execFileSync("python3", ["-c", "import sys; print(sys.executable)"]).toString().trim();

let engine: PythonEngine;
let door: Door;
let log: string;
beforeEach(() => {
  log = "";
  engine = withPython(openFakeEngine(), {
    config: { ...testConfig, workerEnv: ["MODEL_KEY"], metricsMode: "log" },
    log: createLog({ level: "info", format: "json", write: (line) => (log += line) }),
    env: { PATH: process.env["PATH"], MODEL_KEY: "told", AWS_SECRET_ACCESS_KEY: "hidden" },
    known: { executable, version: "3.11.0", torch: "2.13.0", torchserve: "0.12.0", home },
  });
  const port = engine.openDoor?.();
  if (port === undefined) throw new Error("no door");
  door = new Door(port);
});
afterEach(() => engine.close());

function spec(changes: Partial<ModelSpec> = {}, handler = "h.py"): ModelSpec {
  const python = { folder: home, handler, maxRetryMs: 300_000 };
  return { ...specOf("echo"), name: "p", version: "1.0", kind: "python", instances: 1, python, ...changes };
}

async function serve(changes: Partial<ModelSpec> = {}, handler = "h.py"): Promise<void> {
  await engine.load(spec(changes, handler), "load");
  engine.publish("load");
}

interface Heard {
  readonly status: number;
  readonly body: string;
  readonly head: AnswerHead | undefined;
  readonly code: string;
}

/** What a client would get; `parts` as they come. */
function ask(body: string, more: Partial<HandlerRequest> = {}, parts: string[] = [], model = "p/1.0"): Promise<Heard> {
  return new Promise((resolve) => {
    const text = (bytes: string | Uint8Array): string =>
      typeof bytes === "string" ? bytes : Buffer.from(bytes).toString();
    let head: AnswerHead | undefined;
    const reply: Reply = {
      answer: (answer) => resolve({ status: answer.status ?? 200, body: text(answer.body), head: answer, code: "" }),
      open: (given) => (head = given),
      part: (bytes) => parts.push(text(bytes)) > 0,
      ready: () => Promise.resolve(),
      end: () => resolve({ status: head?.status ?? 200, body: parts.join(""), head, code: "" }),
      fail: (code, message) => resolve({ status: 0, body: message, head, code }),
    };
    const request: HandlerRequest = {
      ...{
        id: "",
        contentType: "",
        accept: "",
        parts: undefined,
        headers: {},
        parameters: {},
        urlPath: "",
        explains: false,
        named: false,
      },
      body: new TextEncoder().encode(body),
      onAbort: () => undefined,
      state: undefined,
      ...more,
    };
    door.serve(model, request, reply, 20_000);
  });
}

const figures = () => engine.stats().find((each) => each.name === "p");

describe("a model of one worker", () => {
  test("answers, with what its handler sets, and streams", async () => {
    const report = await engine.load(spec(), "load");
    expect(report.formReason).toBe("handler h.py on Python 3.11.0, torch 2.13.0, torchserve 0.12.0");
    engine.publish("load");
    expect(await ask("echo hello")).toMatchObject({ status: 200, body: "hello" });
    const teapot = await ask("teapot");
    expect(teapot).toMatchObject({ status: 418, body: "short and stout" });
    expect(teapot.head).toMatchObject({ contentType: "text/tea", headers: [["x-cup", "1"]] });
    const parts: string[] = [];
    expect(await ask("stream", {}, parts)).toMatchObject({ body: "0 1 2 end" });
    expect(parts).toEqual(["0 ", "1 ", "2 ", "end"]);
    const told = JSON.parse((await ask("told", { id: "mine", headers: { "x-a": "b" } })).body) as { headers: object };
    expect(told).toMatchObject({ id: "mine", modelName: "p", headers: { "x-a": "b", "X-A": "b", explain: "False" } });
    expect(figures()).toMatchObject({ isDefault: true, instances: 1, lanes: 1, inFlight: 0, queueDepth: 0, rows: 4 });
    expect(figures()?.requestsByCode[0]).toBe(4);
    expect(figures()?.named.requests).toBe(0);
    await ask("echo hello", { named: true });
    expect(figures()?.named.requests).toBe(1);
    expect(figures()?.named.requestSeconds).toBeGreaterThan(0);
    // Their workers write their own times.
    const { batches } = engine.takeBatches?.() ?? { batches: [] };
    expect(batches).toHaveLength(5);
    for (const each of batches) {
      expect(each).toMatchObject({ name: "p", runMs: undefined, waitsMs: [expect.any(Number)] });
      expect(each.outsideMs).toBeGreaterThan(0);
    }
  });

  test("says what its handler says of it, an empty object for what is none, and who is missing", async () => {
    await serve();
    expect(await engine.metadata?.("p", "1.0")).toEqual({ asked: ["describe"] });
    expect(await engine.metadata?.("unknown", "1.0")).toEqual({});
    for (const handler of ["list.py", "bytes.py"]) {
      await serve({ name: handler }, handler);
      expect(await engine.metadata?.(handler, "1.0")).toEqual({});
    }
    engine.resize("p", "1.0", 0);
    await expect(engine.metadata?.("p", "1.0")).rejects.toMatchObject({
      code: "not_ready",
      message: 'Model "p" has no worker to serve describe request. Please use scale workers API to add workers.',
    });
  });

  test("a handler that dies over it is said in TorchServe's words", async () => {
    await serve({}, "mute.py");
    await expect(engine.metadata?.("p", "1.0")).rejects.toMatchObject({
      code: "model_error",
      message: "Failed to get customized model matadata.",
    });
  });

  test("sees what the operator names of the environment, and its own folder", async () => {
    await serve();
    const { env, cwd } = JSON.parse((await ask("process")).body) as { env: Record<string, string>; cwd: string };
    expect(env).toMatchObject({
      MODEL_KEY: "told",
      TS_DECODE_INPUT_REQUEST: "true",
      OMP_NUM_THREADS: expect.any(String) as unknown,
    });
    expect(Object.keys(env)).not.toContain("AWS_SECRET_ACCESS_KEY");
    expect(env["PYTHONPATH"]).toBe(`${cwd}:${home}`);
    expect(cwd).not.toBe(home);
    await engine.remove("p", "1.0", 1000);
    expect(existsSync(cwd)).toBe(false);
    expect(await ask("echo late")).toMatchObject({ code: "version_not_found" });
  });

  test("what it prints is logged with the model's name", async () => {
    await serve();
    await ask("say hello from p");
    await vi.waitFor(() => expect(log).toContain("hello from p"), 20_000);
    const line = log.split("\n").find((each) => each.includes("hello from p")) ?? "{}";
    expect(JSON.parse(line)).toMatchObject({
      level: "info",
      message: "hello from p",
      model: "p",
      version: "1.0",
      stream: "stdout",
    });
  });

  test("a crash fails its request alone; the next one waits for the new worker", async () => {
    await serve();
    const before = figures()?.workers?.[0]?.pid;
    const [crashed, next] = await Promise.all([ask("exit 3"), ask("echo after")]);
    expect(crashed).toMatchObject({ code: "worker_died", body: "Worker died." });
    expect(next).toMatchObject({ status: 200, body: "after" });
    expect(figures()?.workers?.[0]?.pid).not.toBe(before);
    expect(log).toMatch(/the worker ended with exit code 3: ValueError: told to end; another one in 1 s/);
    expect(log).toContain("a worker is there again");
  });

  test("killed from outside: out of memory, as it looks", async () => {
    await serve();
    expect(await ask("kill")).toMatchObject({ code: "out_of_memory" });
  });

  test("over its time, and given up for good when it may not be tried again", async () => {
    await serve({ responseTimeoutMs: 200, python: { folder: home, handler: "h.py", maxRetryMs: 0 } });
    expect(await ask("hang")).toMatchObject({ code: "deadline_exceeded", body: expect.stringMatching(/within 0.2 s/) });
    expect(log).toMatch(
      /did not answer within 0.2 s \(--response-timeout or the model's responseTimeout\); no further worker is started/,
    );
    expect(await ask("echo x")).toMatchObject({ code: "not_ready" });
    expect(figures()).toMatchObject({ broken: 1, starting: 0 });
  });

  test("a client that goes away takes its waiting request with it", async () => {
    await serve();
    const steps: (() => void)[] = [];
    const first = ask("echo first");
    const gone = ask("say never", { onAbort: (step) => steps.push(step) });
    steps.forEach((step) => step());
    expect(await first).toMatchObject({ body: "first" });
    expect(await ask("echo last")).toMatchObject({ body: "last" });
    expect(log).not.toContain("never");
    expect(await Promise.race([gone, Promise.resolve("nothing")])).toBe("nothing");
  });

  test("a full queue refuses", async () => {
    await serve({ jobQueueSize: 1 });
    const answers = await Promise.all([ask("echo 1"), ask("echo 2"), ask("echo 3")]);
    expect(answers.map(({ code, body }) => code || body)).toEqual(["1", "2", "queue_full"]);
  });
});

describe("batches", () => {
  test("one that fails is told apart from its company", async () => {
    await serve({ batchSize: 4, maxBatchDelayMs: 200 });
    const answers = await Promise.all([ask("echo 1"), ask("fail"), ask("echo 3"), ask("exit 5")]);
    expect(answers.map(({ code, body }) => code || body)).toEqual(["1", "prediction_failed", "3", "worker_died"]);
    // All four together, and then each alone.
    expect(figures()).toMatchObject({ batches: 5, rows: 8 });
  });

  test("requests of the same id do not share one", async () => {
    await serve({ batchSize: 4, maxBatchDelayMs: 100 });
    const answers = await Promise.all(["echo a", "echo b"].map((body) => ask(body, { id: "same" })));
    expect(answers.map(({ body }) => body)).toEqual(["a", "b"]);
    expect(figures()).toMatchObject({ batches: 2 });
  });
});

describe("beside the engine's own models", () => {
  test("each is where it belongs", async () => {
    const native = specOf("echo", { name: "n" });
    await engine.load(native, "n");
    engine.publish("n");
    await serve();
    await engine.load(specOf("echo", { name: "p", version: "2.0" }), "p2");
    engine.publish("p2");
    const shown = (): string[] =>
      engine.stats().map((each) => `${each.name}/${each.version} ${String(each.isDefault)}`);
    expect(shown().sort()).toEqual([`n/${native.version} true`, "p/1.0 true", "p/2.0 false"]);
    engine.setDefault("p", "2.0");
    expect(shown()).toContain("p/1.0 false");
    engine.setDefault("p", "1.0");
    expect(shown()).toContain("p/2.0 false");
    expect(engine.info().libtorch).not.toBe("");
    expect(await engine.remove("p", "2.0", 100)).toBe(true);
    expect(await ask("echo x", {}, [], "n/1.0")).toMatchObject({ code: "version_not_found" });
  });

  test("scaled up, down and to nothing", async () => {
    await serve();
    engine.resize("p", "1.0", 2);
    await vi.waitFor(() => expect(figures()).toMatchObject({ instances: 2, lanes: 2, starting: 0 }), 20_000);
    expect(new Set(figures()?.workers?.map(({ pid }) => pid)).size).toBe(2);
    engine.resize("p", "1.0", 0);
    expect(await ask("echo x")).toMatchObject({ code: "not_ready" });
    await vi.waitFor(() => expect(figures()?.lanes).toBe(0), 20_000);
  });

  test("what does not load says why and leaves nothing", async () => {
    await expect(engine.load(spec({}, "missing.py"), "a")).rejects.toMatchObject({
      code: "invalid_model",
      message: "The Python worker ended with exit code 1: ModuleNotFoundError: No module named 'missing'",
    });
    const cancelled = engine.load(spec({}, "slow.py"), "b");
    setTimeout(() => engine.cancelLoad("b"), 200);
    await expect(cancelled).rejects.toMatchObject({ code: "invalid_model" });
    expect(engine.stats()).toEqual([]);
  });
});
