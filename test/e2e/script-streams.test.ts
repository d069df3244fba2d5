/** Answers in parts from handlers in TypeScript, and the trace that their requests stand in, on a thread and in a process of its own. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request, RpcClient } from "../integration/grpc-client.js";
import { type Answer, call, jsonOf } from "./client.js";
import { eventually, repository, Server } from "./server.js";

const store = join(repository, "test/fixtures/script-handlers");
const x = Array.from({ length: 16 }, (_, i) => Math.sin(i));

interface Told {
  readonly scores: readonly number[];
}

interface Traced {
  readonly span: { readonly traceId: string; readonly spanId: string; readonly traceparent: string };
  readonly header: string | null;
}

let server: Server;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-parts-"));
  for (const name of ["steps", "tricks"]) {
    cpSync(join(store, name), join(folder, name), { recursive: true });
    cpSync(join(store, name), join(folder, `${name}-apart`), { recursive: true });
    const yaml = readFileSync(join(store, "tricks/model-config.yaml"), "utf8");
    const apart = yaml.replace("handler:\n", "handler:\n    isolation: process\n");
    writeFileSync(join(folder, name, "model-config.yaml"), yaml);
    writeFileSync(join(folder, `${name}-apart/model-config.yaml`), apart);
  }
  server = await Server.start([
    "--model-store",
    folder,
    "--models",
    "all",
    "--access-log",
    "errors",
    "--grpc-inference-port",
    "0",
  ]);
}, 90_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const ask = (model: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call(server.port, { path: `/predictions/${model}`, body: JSON.stringify(body), headers });
const lines = (answer: Answer): Told[] =>
  answer.body
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
const told = (model: string, what: "count_total" | "value", name: string): Promise<number> =>
  server.metric(new RegExp(String.raw`^sconce_handler_${what}\{model="${model}",version="1.0",name="${name}"`));

test.each(["tricks", "tricks-apart"])("%s: its caller's trace, by REST and gRPC and in the log", async (model) => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  const rest = jsonOf(await ask(model, { x }, { traceparent })) as Traced;
  const client = new RpcClient(server.grpcPort);
  const metadata = client.newMetadata({ traceparent, "x-test": "seen" });
  const data = request(model, JSON.stringify({ x }));
  const rpc = await client.call("inference", "Predictions", data, { metadata });
  client.close();
  const byRpc = JSON.parse(rpc.text) as Traced;
  for (const { span } of [rest, byRpc]) {
    expect(span).toMatchObject({ traceId, parentSpanId: "b7ad6b7169203331", sampled: true });
    expect(span.traceparent).toBe(`00-${traceId}-${span.spanId}-01`);
  }
  expect(rest.span.spanId).not.toBe(byRpc.span.spanId);
  expect(byRpc.header).toBe("seen");

  const headers = { traceparent, "x-request-id": `of-${model}` };
  await ask(model, { x, trick: "tell" }, headers);
  await ask(model, { x, trick: "throw" }, headers);
  // The handler's own line, its hook's failure, what the client was told (without a trace) and the access log's.
  const told = await eventually(20_000, "the handler's lines", () => {
    const found = server.process.stderr.split("\n").filter((line) => line.includes(`"requestId":"of-${model}"`));
    return found.filter((line) => line.includes(`"trace_id":"${traceId}"`)).length === 3 ? found : undefined;
  });
  expect(told.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(
    expect.arrayContaining(["told by the handler", "the handler's preprocess failed", "access"]),
  );
});

describe.each(["steps", "steps-apart"])("%s", (model) => {
  test("answers part by part, with the status and type that it says", async () => {
    const { scores } = jsonOf(await ask(model, { x, times: 1, whole: true })) as Told;
    expect(scores).toHaveLength(4);
    const answer = await ask(model, { x, times: 20 });
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    expect(lines(answer).map((each) => each.scores)).toEqual(Array.from({ length: 20 }, () => scores));
    const named = await ask(model, { x, times: 2, trick: "text" });
    expect([named.status, named.headers.get("content-type"), lines(named).length]).toEqual([206, "text/x", 2]);
    expect((await ask(model, { x, times: 0 })).body).toHaveLength(0);
    const bytes = await ask(model, { x, times: 3, bytes: 70_000 });
    expect([bytes.headers.get("content-type"), bytes.body.length]).toEqual(["application/octet-stream", 210_000]);
  });

  test("fails with a status before the first part, and by the end of the connection after it", async () => {
    expect((await ask(model, { x: [1], times: 1 })).status).toBe(400);
    for (const trick of ["throw", "nothing"]) {
      expect((await ask(model, { x, times: 0, trick })).status, trick).toBe(500);
    }
    for (const trick of ["throw", "hang", "nothing"]) {
      await expect(ask(model, { x, times: 2, trick }), trick).rejects.toThrow();
    }
    expect((await ask(model, { x, times: 1, whole: true })).status).toBe(200);
  });

  test("makes no more than a slow client takes, and ends when the client goes", async () => {
    const times = 2000;
    const socket = await slowly(`/predictions/${model}`, JSON.stringify({ x, times, bytes: 256 * 1024 }));
    let last = 0;
    const made = await eventually(20_000, "a standstill", async () => {
      const now = await told(model, "value", "made");
      const stands = now === last && now > 8;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 600));
      return stands ? now : undefined;
    });
    expect(made).toBeLessThan(times / 4);
    const ended = await told(model, "count_total", "ended");
    socket.destroy();
    await eventually(20_000, "the iterator's return()", async () =>
      (await told(model, "count_total", "ended")) === ended + 1 ? true : undefined,
    );
    expect(await told(model, "value", "made")).toBeLessThan(times / 4);
  });
});

/** A client that takes the head of its answer and then nothing. */
function slowly(path: string, body: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", reject);
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    socket.once("data", () => {
      socket.pause();
      resolve(socket);
    });
  });
}

test.each(["tricks", "tricks-apart"])("%s: an answer in parts may be postprocess's", async (model) => {
  expect((await ask(model, { x, trick: "parts", at: "post" })).body.toString()).toBe("part");
});

test("a process that ends in the middle ends the answer, and another one serves", async () => {
  await expect(ask("steps-apart", { x, times: 2, trick: "kill" })).rejects.toThrow();
  expect((await ask("steps-apart", { x, times: 1, whole: true })).status).toBe(200);
});
