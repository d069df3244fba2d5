import { expect, test } from "vitest";
import { openFakeEngine } from "../../../src/engine/fake.js";
import type { ErrorCode } from "../../../src/errors.js";
import type { Handler } from "../../../src/handlers/handler.js";
import { HandlerRegistry } from "../../../src/handlers/registry.js";
import { type Call, InputFormat, OutputFormat, type Route } from "../../../src/inference/call.js";
import type { CleanHead } from "../../../src/inference/answer-head.js";
import { PlainRequest } from "../../../src/inference/request.js";
import { Pipeline } from "../../../src/inference/pipeline.js";
import { baseSpec, modelSpec } from "../../integration/support.js";

class TestCall implements Call {
  readonly input = InputFormat.json;
  readonly output = OutputFormat.json;
  over = false;
  readonly log: string[] = [];
  readonly done: Promise<void>;
  private finish: () => void = () => undefined;
  readonly cookie: number;
  readonly route: Route;

  constructor(cookie: number, route: Route) {
    this.cookie = cookie;
    this.route = route;
    this.done = new Promise((resolve) => (this.finish = resolve));
  }
  request(body: Uint8Array): PlainRequest {
    const plain = { id: "", contentType: "", accept: "", parts: undefined, headers: {}, parameters: {}, urlPath: "" };
    return new PlainRequest({ ...plain, body, explains: false });
  }
  drained: (() => void) | undefined;
  reply(model: string, { status, contentType }: CleanHead, body: string | Uint8Array): void {
    this.log.push(`${model} ${status} ${contentType} ${Buffer.from(body).toString()}`);
  }
  open(model: string, { status }: CleanHead): boolean {
    this.log.push(`${model} ${status} opens`);
    return true;
  }
  part(bytes: Uint8Array): boolean {
    this.log.push(Buffer.from(bytes).toString());
    return true;
  }
  end(): void {
    this.log.push("ends");
  }
  held(): void {
    this.log.push("held");
  }
  released(): void {
    this.log.push("released");
    this.finish();
  }
  answer(model: string, body: string | ArrayBuffer): void {
    this.log.push(`${model} ${typeof body === "string" ? body : "bytes"}`);
  }
  fail(code: ErrorCode, message: string): void {
    this.log.push(`${code}: ${message}`);
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function open(artifact: string): Promise<{ pipeline: Pipeline; route: Route }> {
  const engine = openFakeEngine({ slowMs: 30 });
  await engine.load(modelSpec("m", artifact), "m");
  engine.publish("m");
  const handlers = new HandlerRegistry({ maxImagePixels: 1000, maxRequestSize: 1000, decodeParallelism: 1 });
  const pipeline = new Pipeline(engine, handlers);
  expect(pipeline.route("m", "")).toBeUndefined();
  handlers.announce("m", "1.0", baseSpec, { timeoutMs: 1000, by: "server" });
  const route = pipeline.route("m", "");
  if (route === undefined) throw new Error("announced and published, and yet unknown");
  expect(pipeline.route("other", "")).toBeUndefined();
  return { pipeline, route };
}

test("requests of one turn are answered at its end", async () => {
  const { pipeline, route } = await open("echo.pt");
  const calls = [0, 1, 2].map((cookie) => new TestCall(cookie, route));
  for (const call of calls) pipeline.run(call, bytes(`[${call.cookie}]`));
  expect(calls.every((call) => call.log.join() === "held")).toBe(true);
  await Promise.all(calls.map((call) => call.done));
  expect(calls.map((call) => call.log[1])).toEqual(["m/1.0 [0]", "m/1.0 [1]", "m/1.0 [2]"]);
});

test("a refused request fails and is released; a gathered body does not stay", async () => {
  const { pipeline, route } = await open("echo.pt");
  const call = new TestCall(5, route);
  pipeline.channel.bodyAppend(5, new Uint8Array([0x7b]).buffer);
  pipeline.runGathered(call);
  expect(call.log).toEqual(["bad_request: the body is not JSON", "released"]);
  expect(pipeline.channel.bodySize(5)).toBe(0);
});

test("one that is over gets no answer, but is released when the engine lets go", async () => {
  const { pipeline, route } = await open("slow.pt");
  const call = new TestCall(1, route);
  pipeline.run(call, bytes("[1]"));
  call.over = true;
  pipeline.cancel(call);
  await call.done;
  expect(call.log).toEqual(["held", "released"]);
});

test("hooks run before and after, and their faults are the request's alone", async () => {
  const { pipeline, route } = await open("echo.pt");
  const handler = (changes: Partial<Handler>): Handler => ({
    name: "test",
    spec: baseSpec,
    pre: ({ body }) => Promise.resolve({ data: body.slice(), width: body.length, height: 1, channels: 1 }),
    post: (outputs) => `${outputs.length} of ${String(outputs[0]?.shape)}`,
    ...changes,
  });
  const remember: Handler["pre"] = (request) => {
    request.state = "seen";
    const data = new Uint8Array(Float32Array.of(1, 2).buffer);
    return Promise.resolve({
      rows: [[{ dtype: "float32", shape: [2], data }], [{ dtype: "float32", shape: [2], data }]],
    });
  };
  const run = async (changes: Partial<Handler>): Promise<readonly string[]> => {
    const call = new TestCall(9, { ...route, handler: handler(changes) });
    pipeline.run(call, bytes("abc"));
    await call.done;
    return call.log;
  };
  expect(await run({})).toContain("m/1.0 1 of 3");
  expect(await run({ post: (_outputs, { state }) => String(state), pre: remember })).toContain("m/1.0 seen");
  const broken = "internal: The handler failed; the server's log has the reason.";
  expect(await run({ pre: () => Promise.reject(new Error("secret")) })).toContain(broken);
  const throws = (): never => {
    throw new TypeError("secret");
  };
  expect(await run({ post: throws })).toContain(broken);
  expect(await run({})).toContain("m/1.0 1 of 3");
});

test("a handler that serves makes the whole answer, and is told when nobody waits any more", async () => {
  const { pipeline, route } = await open("echo.pt");
  const run = async (serve: Handler["serve"]): Promise<readonly string[]> => {
    const call = new TestCall(9, { ...route, version: "1.0", handler: { name: "test", spec: baseSpec, serve } });
    pipeline.run(call, bytes("abc"));
    await call.done;
    return call.log;
  };
  const whole = await run(({ body }, reply) => reply.answer({ status: 201, body: `${body.length} bytes` }));
  expect(whole).toEqual(["held", "m/1.0 201 application/json 3 bytes", "released"]);
  const parts = await run((_request, reply) => {
    reply.part(bytes("a"));
    reply.end();
  });
  expect(parts).toEqual(["held", "m/1.0 200 opens", "a", "ends", "released"]);
  const throws = await run(() => {
    throw new TypeError("secret");
  });
  expect(throws).toContain("internal: The handler failed; the server's log has the reason.");
  const serve: Handler["serve"] = (request) => request.onAbort(() => call.log.push("aborted"));
  const call = new TestCall(3, { ...route, handler: { name: "test", spec: baseSpec, serve } });
  pipeline.run(call, bytes("abc"));
  call.over = true;
  pipeline.cancel(call);
  await call.done;
  expect(call.log).toEqual(["held", "aborted", "released"]);
});

test("what a route was asked for by name is counted as named, and nothing else", async () => {
  const engine = openFakeEngine();
  const handlers = new HandlerRegistry({ maxImagePixels: 1000, maxRequestSize: 1000, decodeParallelism: 1 });
  const pipeline = new Pipeline(engine, handlers);
  const pre = { ...baseSpec, name: "classify" };
  for (const [version, spec] of [
    ["1.0", baseSpec],
    ["2.0", pre],
  ] as const) {
    await engine.load({ ...modelSpec("m", "echo.pt"), version }, version);
    engine.publish(version);
    handlers.announce("m", version, spec, { timeoutMs: 1000, by: "server" });
  }
  const named = (): number => engine.stats().reduce((sum, each) => sum + each.named.requests, 0);
  const ask = async (version: string): Promise<Route> => {
    const route = pipeline.route("m", version);
    if (route === undefined) throw new Error("announced and published, and yet unknown");
    const call = new TestCall(1, route);
    pipeline.run(call, bytes("[1]"));
    await call.done;
    return route;
  };
  // The versions have different handlers: the route keeps to the one whose handler it has.
  expect(await ask("")).toMatchObject({ version: "1.0", named: false });
  expect(named()).toBe(0);
  expect(await ask("1.0")).toMatchObject({ version: "1.0", named: true });
  expect(named()).toBe(1);
});
