/** TorchServe's gRPC inference service over real sockets, on the in-memory engine. */

import * as grpc from "@grpc/grpc-js";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { full } from "../full.js";
import { collect, request, RpcClient } from "./grpc-client.js";
import { modelSpec, pause, startTestServer, type TestServer } from "./support.js";

const specs = [
  modelSpec("echo", "echo.pt"),
  modelSpec("sum", "sum.pt"),
  modelSpec("raise", "raise.pt"),
  modelSpec("slow", "slow.pt", { responseTimeoutMs: 0 }),
  modelSpec("late", "slow-late.pt", { responseTimeoutMs: 40 }),
  modelSpec("hasty", "slow-hasty.pt", { responseTimeoutMs: 0, clientTimeoutMs: 40 }),
  modelSpec("loading", "loading.pt"),
  modelSpec("failing", "failing.pt"),
];

let server: TestServer;
let client: RpcClient;

beforeAll(async () => {
  server = await startTestServer(specs, { grpcInferencePort: 0, maxRequestSize: 4096 }, 200);
  client = new RpcClient(server.server.grpc.inference ?? 0);
});
afterAll(async () => {
  client.close();
  expect(await server.server.drain()).toBe(0);
});

/** Calls and predictions that are not over, as the metrics have them. */
async function leftOver(): Promise<string[]> {
  const text = await (await fetch(`${server.metrics}/metrics`)).text();
  return text.split("\n").filter((line) => /^sconce_(grpc_open_calls|in_flight)/.test(line) && !line.endsWith(" 0"));
}

async function ended(): Promise<void> {
  for (let i = 0; (await leftOver()).length > 0 && i < 200; i++) await pause(10);
  expect(await leftOver()).toEqual([]);
}

describe("Predictions", () => {
  test("the answer is REST's, and says which version gave it", async () => {
    const got = await client.predict("sum", "[1, 2, 3.5]");
    const rest = await (await fetch(`${server.base}/predictions/sum`, { method: "POST", body: "[1, 2, 3.5]" })).text();
    expect(got).toMatchObject({ code: 0, text: rest });
    expect(got.headers?.get("x-sconce-model")).toEqual(["sum/1.0"]);
    expect((await client.predict("sum/1.0", "[4]")).text).toBe("4");
  });

  test.each([
    ["", "[1]", "INVALID_ARGUMENT", /model_name/],
    ["nobody", "[1]", "NOT_FOUND", /Model not found: nobody/],
    ["sum/9.9", "[1]", "NOT_FOUND", /Model version: 9.9 does not exist for model: sum/],
    ["loading", "[1]", "UNAVAILABLE", /is loading \(warm-up\)/],
    ["failing", "[1]", "UNAVAILABLE", /failed to load: not a model/],
    ["sum", "{not json", "INVALID_ARGUMENT", /JSON/],
    ["raise", "[-1]", "INTERNAL", /raised/],
  ] as const)("%s with %s: %s", async (model, data, status, words) => {
    const got = await client.predict(model, data);
    expect(got.code).toBe(rpcStatus[status]);
    expect(got.details).toMatch(words);
    expect(got.trailers?.get("x-sconce-error")).toHaveLength(1);
  });

  test("no input, and inputs by name", async () => {
    const none = await client.call("inference", "Predictions", { model_name: "echo", input: {} });
    expect(none).toMatchObject({
      code: rpcStatus.INVALID_ARGUMENT,
      details: expect.stringContaining('"data"') as string,
    });
    const body = await client.call("inference", "Predictions", {
      model_name: "echo",
      input: { body: Buffer.from("[5]") },
    });
    expect(body.text).toBe("[5]");
  });

  test("other formats are asked for by metadata", async () => {
    const metadata = new grpc.Metadata();
    metadata.set("x-sconce-accept", "image/png");
    expect((await client.predict("echo", "[1]", { metadata })).code).toBe(rpcStatus.INVALID_ARGUMENT);
    metadata.set("x-sconce-accept", "application/octet-stream");
    const raw = await client.predict("echo", "[1.5]", { metadata });
    expect(raw.answer?.prediction).toEqual(Buffer.from(new Float32Array([1.5]).buffer));
  });

  test("a message over --max-request-size is refused, one below is not", async () => {
    const text = (length: number): string => `[${"1,".repeat(length / 2)}1]`;
    expect((await client.predict("sum", text(4000))).code).toBe(0);
    expect((await client.predict("sum", text(5000))).code).toBe(rpcStatus.RESOURCE_EXHAUSTED);
  });

  test("the sequence id comes back, and hostile names do no harm", async () => {
    const input = JSON.parse('{"__proto__": "eA=="}') as object;
    expect((await client.call("inference", "Predictions", { model_name: "echo", input })).code).toBe(3);
    const odd = await client.call("inference", "Predictions", request("\u0000/../\ud800", "[1]"));
    expect(odd.code).toBe(rpcStatus.NOT_FOUND);
    const id = await client.call("inference", "Predictions", request("sum", "[1]", { sequence_id: "s1" }));
    expect(id.answer?.sequence_id).toBe("s1");
    expect((await client.predict("sum", "[1]")).answer?.sequence_id).toBeUndefined();
  });
});

describe("time", () => {
  test("the model's response timeout is DEADLINE_EXCEEDED with the option's name", async () => {
    const got = await client.predict("late", "[1]");
    expect(got).toMatchObject({ code: rpcStatus.DEADLINE_EXCEEDED });
    expect(got.details).toContain("responseTimeout");
    await ended();
  });

  test("so is its clientTimeoutInMills, unless the client's own deadline passes first", async () => {
    const got = await client.predict("hasty", "[1]");
    expect(got).toMatchObject({ code: rpcStatus.DEADLINE_EXCEEDED });
    expect(got.details).toContain("within 0.04 s (the model's clientTimeoutInMills)");
    expect((await client.predict("hasty", "[1]", { deadlineMs: 20 })).details).not.toContain("clientTimeoutInMills");
    await ended();
  });

  test("a client's deadline ends its call on the server", async () => {
    const got = await client.predict("slow", "[1]", { deadlineMs: 60 });
    expect(got.code).toBe(rpcStatus.DEADLINE_EXCEEDED);
    await ended();
    expect((await client.predict("slow", "[2]")).text).toBe("[2]");
  });

  test.each([25, 30, 60, 36_500])(
    "a deadline in %d days, more than a timer can wait, is none that has passed",
    async (days) => {
      const got = await client.predict("slow", "[1]", { deadlineMs: days * 86_400_000 });
      expect(got).toMatchObject({ code: 0, details: "", text: "[1]" });
    },
  );

  test("a client that cancels leaves nothing behind", async () => {
    const got = await client.predict("slow", "[1]", { onCall: (call) => setTimeout(() => call.cancel(), 30) });
    expect(got.code).toBe(rpcStatus.CANCELLED);
    await ended();
  });
});

describe("streams", () => {
  test("StreamPredictions answers and ends, with an error too", async () => {
    const good = await collect(client.pieces(request("sum", "[1, 2]", { sequence_id: "a" })));
    expect(good).toMatchObject({ code: 0, answers: [{ prediction: Buffer.from("3"), sequence_id: "a" }] });
    expect(await collect(client.pieces(request("nobody", "[1]")))).toMatchObject({
      code: rpcStatus.NOT_FOUND,
      answers: [],
    });
  });

  test("StreamPredictions2 answers in order, errors included, and stays open for the next", async () => {
    const stream = client.stream();
    const all = collect(stream);
    for (const [id, model, data] of [
      ["1", "slow", "[1]"],
      ["2", "sum", "[2, 2]"],
      ["3", "nobody", "[3]"],
      ["4", "raise", "[-1]"],
      ["5", "sum", "[5]"],
    ] as const) {
      stream.write(request(model, data, { sequence_id: id }));
    }
    // Half-closed before anything was answered: what was asked is answered all the same.
    stream.end();
    const { answers, code } = await all;
    expect(code).toBe(0);
    expect(answers.map((each) => [each.sequence_id, each.prediction.toString(), each.status?.code])).toEqual([
      ["1", "[1]", undefined],
      ["2", "4", undefined],
      ["3", "", rpcStatus.NOT_FOUND],
      ["4", "", rpcStatus.INTERNAL],
      ["5", "5", undefined],
    ]);
    expect(answers[2]?.status?.message).toBe("Model not found: nobody");
    expect(answers[2]?.status?.details[0]?.value.toString()).toContain("ModelNotFoundException");
  });

  test("a long stream is read no faster than it is answered, and none is lost", async () => {
    const stream = client.stream();
    const all = collect(stream);
    for (let i = 0; i < 500; i++) stream.write(request("sum", `[${i}]`));
    stream.end();
    const { answers } = await all;
    expect(answers.map((each) => each.prediction.toString())).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });

  /** A thousand at a time. */
  const many = full ? 10_000 : 600;
  test(`${many} streams opened and cancelled leave nothing behind`, { timeout: 300_000 }, async () => {
    for (let done = 0; done < many; done += 1000) {
      const clients = Array.from({ length: 4 }, () => new RpcClient(server.server.grpc.inference ?? 0));
      const ends = Array.from({ length: Math.min(1000, many - done) }, async (_, i) => {
        const stream = clients[i % clients.length]!.stream();
        const end = collect(stream);
        stream.write(request(i % 3 === 0 ? "slow" : "sum", "[1]"));
        setTimeout(() => stream.cancel(), i % 90);
        return (await end).code;
      });
      expect(new Set(await Promise.all(ends))).toEqual(new Set([rpcStatus.CANCELLED]));
      for (const each of clients) each.close();
    }
    await ended();
    expect((await client.predict("sum", "[7]")).text).toBe("7");
  });
});

describe("around it", () => {
  test("Ping says what /ping says", async () => {
    const rest = await (await fetch(`${server.base}/ping`)).text();
    expect((await client.call("inference", "Ping", {})).message["health"]).toBe(rest);
  });

  test("health follows the models, for the server and for the service", async () => {
    const service = "org.pytorch.serve.grpc.inference.InferenceAPIsService";
    for (const name of ["", service]) {
      expect((await client.call("health", "Check", { service: name })).message["status"]).toBe(1);
    }
    expect((await client.call("health", "Check", { service: "other" })).code).toBe(rpcStatus.NOT_FOUND);
    server.manager.override = "unready";
    await pause(150);
    expect((await client.call("health", "Check", { service: "" })).message["status"]).toBe(2);
    server.manager.override = undefined;
    await pause(150);
  });

  test("an unknown method is UNIMPLEMENTED; bytes that are no HTTP/2 end their connection only", async () => {
    const same = (bytes: Buffer): Buffer => bytes;
    const strange = client.inference.makeUnaryRequest.bind(client.inference);
    const code = await new Promise((resolve) => {
      strange("/a.B/C", same, same, Buffer.alloc(0), (error) => resolve(error?.code));
    });
    expect(code).toBe(rpcStatus.UNIMPLEMENTED);
    const socket = connect(server.server.grpc.inference ?? 0, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect((await client.predict("sum", "[7]")).text).toBe("7");
  });
});

describe("the age of connections", () => {
  const connectionAges = { grpcInferenceMaxConnectionAgeMs: 200, grpcInferencePort: 0, grpcManagementPort: 0 };
  /** Milliseconds until the server says that it takes no more calls here, and until it has closed. */
  const life = (session: ClientHttp2Session): Promise<readonly number[]> =>
    new Promise((resolve, reject) => {
      const seen: number[] = [];
      const from = performance.now();
      session.on("goaway", () => seen.push(performance.now() - from));
      session.on("error", reject);
      session.on("close", () => resolve([...seen, performance.now() - from]));
    });

  test("an old one gets GOAWAY and closes, its calls end, and the client goes on with another; the other port has its own", async () => {
    const aging = await startTestServer(specs, connectionAges, 600);
    const managing = connectHttp2(`http://127.0.0.1:${aging.server.grpc.management}`);
    const [goaway = 0, closed] = await life(connectHttp2(`http://127.0.0.1:${aging.server.grpc.inference}`));
    // grpc-js spreads the age by a tenth.
    expect(goaway).toBeGreaterThan(150);
    expect(closed).toBeLessThan(1500);
    const caller = new RpcClient(aging.server.grpc.inference ?? 0);
    const slow = caller.predict("slow", "[1]");
    expect([(await slow).code, (await caller.predict("sum", "[7]")).text]).toEqual([0, "7"]);
    expect(managing.closed || managing.destroyed).toBe(false);
    managing.destroy();
    caller.close();
    await aging.server.drain();
  });

  test("what the grace does not suffice for is cut", async () => {
    const hard = await startTestServer(specs, { ...connectionAges, grpcInferenceMaxConnectionAgeGraceMs: 50 }, 5000);
    const caller = new RpcClient(hard.server.grpc.inference ?? 0);
    const from = performance.now();
    expect((await caller.predict("slow", "[1]")).code).toBe(rpcStatus.UNAVAILABLE);
    expect(performance.now() - from).toBeLessThan(2000);
    caller.close();
    await hard.server.drain();
  });
});
