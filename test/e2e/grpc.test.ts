/** TorchServe's gRPC service of a real server process, by grpc-js and by Python stubs made with the standard tools. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { full } from "../full.js";
import { collect, request, RpcClient } from "../integration/grpc-client.js";
import { call } from "./client.js";
import { eventually, models, repository, Server, ServerProcess, sleep } from "./server.js";

const names = ["ledger", "slow", "wide", "moody", "dtypes"].map((name) => `${models}${name}.pt`);
const sample = JSON.stringify(Array.from({ length: 16 }, (_, i) => i - 8));
/** Half a second of work, longer than what waits for it; more on a busy machine. */
const long = "[500]";

function serve(more: readonly string[] = []): Promise<Server> {
  return Server.start([...names, "--grpc-inference-port", "0", ...more]);
}

describe("a server with gRPC", () => {
  let server: Server;
  let client: RpcClient;
  beforeAll(async () => {
    // One core is one lane: what comes while it works waits.
    server = await serve(["--cores", "1"]);
    client = new RpcClient(server.grpcPort);
  });
  afterAll(async () => {
    client.close();
    expect((await server.stop()).code, server.process.output).toBe(0);
  });

  const cancelled = (): Promise<number> =>
    server.metric(/^sconce_requests_total\{.*code="(cancelled|deadline_exceeded)"/);

  test("answers are REST's, of several inputs too", async () => {
    const rest = await call(server.port, { path: "/predictions/ledger", body: sample });
    const got = await client.predict("ledger", sample);
    expect(got).toMatchObject({ code: 0, text: rest.body.toString() });
    expect(got.headers?.get("x-sconce-model")).toEqual(["ledger/1.0"]);

    const inputs = { b: [true, false], u8: [1, 2], i8: [1, -2], i16: [3, 4], i32: [5, 6], i64: [7, 8] };
    const floats = { f16: [1.5, 2], bf16: [1, 2], f64: [0.1, 0.2] };
    const named = Object.entries({ ...inputs, ...floats }).map(([name, value]) => [
      name,
      Buffer.from(JSON.stringify(value)),
    ]);
    const several = await client.call("inference", "Predictions", {
      model_name: "dtypes",
      input: Object.fromEntries(named) as object,
    });
    const body = JSON.stringify({ ...inputs, ...floats });
    const same = await call(server.port, { path: "/predictions/dtypes", body });
    expect((several.answer?.prediction ?? Buffer.of()).toString(), several.details).toBe(same.body.toString());
  });

  test.each([
    ["ledger", "[1, 2, 3]", "INVALID_ARGUMENT"],
    ["moody", "[101, 1]", "INTERNAL"],
    ["nobody", "[1]", "NOT_FOUND"],
    ["ledger/7", "[1]", "NOT_FOUND"],
  ] as const)("%s with %s: %s in REST's words", async (model, data, status) => {
    const got = await client.predict(model, data);
    const rest = await call(server.port, { path: `/predictions/${model}`, body: data });
    const { message } = JSON.parse(rest.body.toString()) as { readonly message: string };
    expect(got).toMatchObject({ code: rpcStatus[status], details: message.slice(0, 1024) });
  });

  test("a large answer arrives whole", async () => {
    const metadata = client.newMetadata({ "x-sconce-accept": "application/octet-stream" });
    const got = await client.predict("wide", "[1]", { metadata });
    expect(got.answer?.prediction.length, got.details).toBe(8_000_000);
  });

  test("who cancels or gives up while waiting is dropped in the queue", async () => {
    const before = await cancelled();
    const running = client.predict("slow", long);
    await eventually(5000, "the long one to run", async () => ((await server.inFlight()) === 1 ? true : undefined));
    const leaving = Array.from({ length: 10 }, () =>
      client.predict("slow", long, { onCall: (made) => setTimeout(() => made.cancel(), 100) }),
    );
    const late = Array.from({ length: 10 }, () => client.predict("slow", long, { deadlineMs: 150 }));
    const codes = (await Promise.all([...leaving, ...late])).map((each) => each.code);
    expect(codes).toEqual([...leaving.map(() => rpcStatus.CANCELLED), ...late.map(() => rpcStatus.DEADLINE_EXCEEDED)]);
    expect((await running).code).toBe(0);
    await server.idle();
    expect((await cancelled()) - before).toBe(20);
    expect((await client.predict("slow", "[1]")).text).toBe("[1.0]");
  });

  const nothingLeft = async (): Promise<void> => {
    await server.idle();
    await eventually(5000, "every call to be over", async () =>
      (await server.metric(/^sconce_grpc_open_calls/)) === 0 ? true : undefined,
    );
  };

  /** Opens a stream, asks and cancels it a little later; the code that it ended with. */
  const openAndCancel = async (from: RpcClient, i: number): Promise<number> => {
    const stream = from.stream();
    const end = collect(stream);
    stream.write(i % 2 === 0 ? request("slow", "[50]") : request("ledger", sample));
    setTimeout(() => stream.cancel(), i % 100);
    return (await end).code;
  };

  /** A thousand at a time. */
  test("streams opened and cancelled leave nothing behind", { timeout: 300_000 }, async () => {
    const many = full ? 10_000 : 500;
    const files = (): number => readdirSync(`/proc/${server.process.pid}/fd`).length;
    const [filesBefore, kibBefore] = [files(), server.rssKib()];
    for (let done = 0; done < many; done += 1000) {
      // Several, and new ones each time: one connection may not cancel as much, see the next test.
      const clients = Array.from({ length: 10 }, () => new RpcClient(server.grpcPort));
      const round = Array.from({ length: Math.min(1000, many - done) }, (_, i) => i);
      const ends = round.map((i) => openAndCancel(clients[i % clients.length] ?? client, i));
      expect(new Set(await Promise.all(ends))).toEqual(new Set([rpcStatus.CANCELLED]));
      for (const each of clients) each.close();
    }
    await nothingLeft();
    await eventually(5000, "the connections to be gone", () => (files() <= filesBefore ? true : undefined));
    console.log(`${many} streams: ${kibBefore} KiB before, ${server.rssKib()} KiB after`);
    expect((await client.predict("ledger", sample)).code).toBe(0);
  });

  test("a connection that cancels over a thousand in a burst is closed; its client goes on with the next", async () => {
    const hasty = new RpcClient(server.grpcPort);
    expect((await hasty.predict("ledger", sample)).code).toBe(0);
    const ends = Array.from({ length: 1200 }, (_, i) => openAndCancel(hasty, i));
    const closed = [rpcStatus.INTERNAL, rpcStatus.UNAVAILABLE];
    expect([rpcStatus.CANCELLED, ...closed]).toEqual(expect.arrayContaining([...new Set(await Promise.all(ends))]));
    await nothingLeft();
    await eventually(5000, "an answer", async () =>
      (await hasty.predict("ledger", sample)).code === 0 ? true : undefined,
    );
    hasty.close();
    expect((await client.predict("ledger", sample)).code).toBe(0);
  });

  const python = process.env["SCONCE_PYTHON"] ?? "python3";
  const tools = spawnSync(python, ["-c", "import grpc_tools.protoc"]).status === 0;
  if (!tools) console.warn("no Python with grpcio-tools (set SCONCE_PYTHON): the test of generated stubs is skipped");
  test.skipIf(!tools)("Python stubs generated from the .proto files", { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-stubs-"));
    const proto = join(repository, "proto");
    const files = ["inference.proto", "management.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"];
    const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
    execFileSync(python, ["-m", "grpc_tools.protoc", `--proto_path=${proto}`, ...out, ...files]);
    const script = join(repository, "test/e2e/grpc_client.py");
    const seen = JSON.parse(
      execFileSync(python, [script, folder, String(server.grpcPort), sample]).toString(),
    ) as object;
    expect(seen).toEqual({
      health: { status: "Healthy" },
      same: true,
      pieces: 1,
      stream: [
        ["a", "OK"],
        ["b", "NOT_FOUND"],
        ["c", "OK"],
      ],
      reason: "ModelNotFoundException",
      unknown: "NOT_FOUND",
      deadline: "DEADLINE_EXCEEDED",
    });
    rmSync(folder, { recursive: true });
  });
});

describe("its end", () => {
  test(
    "SIGTERM: accepted calls are answered, idle streams end, health says so first",
    { timeout: 60_000 },
    async () => {
      const server = await serve(["--drain-delay", "1"]);
      const client = new RpcClient(server.grpcPort);
      const slow = Array.from({ length: 5 }, () => client.predict("slow", "[500]"));
      const stream = client.stream();
      const idle = collect(stream);
      stream.write(request("ledger", sample));
      await eventually(5000, "the calls to be there", async () => ((await server.inFlight()) > 0 ? true : undefined));
      const exit = server.stop();
      await sleep(300);
      expect((await client.call("health", "Check", { service: "" })).message["status"]).toBe(2);
      expect((await client.predict("ledger", sample)).code).toBe(0);
      expect((await Promise.all(slow)).map((each) => each.code)).toEqual([0, 0, 0, 0, 0]);
      expect(await idle).toMatchObject({ code: rpcStatus.UNAVAILABLE, answers: [{}] });
      expect((await exit).code, server.process.output).toBe(0);
      client.close();
    },
  );

  test("what the drain timeout cuts is told so, and the exit code is 1", { timeout: 60_000 }, async () => {
    const server = await serve(["--drain-timeout", "0.3"]);
    const client = new RpcClient(server.grpcPort);
    const slow = client.predict("slow", "[1500]");
    await eventually(5000, "the call to be there", async () => ((await server.inFlight()) > 0 ? true : undefined));
    const exit = server.stop();
    expect((await slow).code).toBe(rpcStatus.UNAVAILABLE);
    expect((await exit).code, server.process.output).toBe(1);
    client.close();
  });

  test("a taken port stops the start, by name", { timeout: 60_000 }, async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { readonly port: number };
    const started = new ServerProcess([`${models}ledger.pt`, "--grpc-inference-port", String(port)]);
    expect((await started.ended(30_000)).code, started.output).toBeGreaterThan(0);
    expect(started.stderr).toContain(`127.0.0.1:${port} for gRPC: the port is taken`);
    taken.close();
  });
});
