/** Token authorization on a real server: every port, rotation, the key file and its end. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { collect, request, RpcClient } from "../integration/grpc-client.js";
import { call } from "./client.js";
import { entry, errorOf, eventually, freePorts, models, nodeBinary, Server, ServerProcess } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-tokens-"));
const keyFile = join(root, "key_file.json");
const properties = join(root, "config.properties");
writeFileSync(properties, "token_expiration_min=0.5\n");
const words = [`${models}ledger.pt`, "--http-threads", "2", "--key-file", keyFile];

type Kind = "management" | "inference" | "API";
const keys = () =>
  JSON.parse(readFileSync(keyFile, "utf8")) as Record<Kind, { key: string; "expiration time": string }>;
const headers = (kind: Kind) => ({ authorization: `Bearer ${keys()[kind].key}` });
let server: Server;
beforeAll(async () => {
  server = await Server.start([...words, "--ncs", "--ts-config", properties, "--grpc-inference-port", "0"]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("started with a config.properties", () => {
  test("the key file is there, 0600, with the time that was asked for", () => {
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    const left = Date.parse(keys().inference["expiration time"]) - Date.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(30_000);
  });

  test("no key opens another's port, on any thread; metrics need none", async () => {
    for (let i = 0; i < 8; i++) {
      const refused = await call(server.port, { path: "/ping", headers: headers("management") });
      expect(errorOf(refused)).toMatchObject({ code: 400, type: "InvalidKeyException" });
      expect((await call(server.port, { path: "/ping", headers: headers("inference") })).status).toBe(200);
    }
    expect((await call(server.managementPort, { path: "/models", headers: headers("inference") })).status).toBe(400);
    expect((await call(server.managementPort, { path: "/models", headers: headers("management") })).status).toBe(200);
    expect((await call(server.port, { path: "/no/such", headers: {} })).status).toBe(400);
    expect((await call(server.metricsPort, { path: "/metrics" })).status).toBe(200);
  });

  test("a new key counts on every thread when /token has answered", async () => {
    const before = headers("inference");
    const answer = await call(server.managementPort, { path: "/token?type=inference", headers: headers("API") });
    expect([answer.status, answer.body.toString()]).toEqual([200, "\n"]);
    const after = headers("inference");
    for (let i = 0; i < 8; i++) {
      expect((await call(server.port, { path: "/ping", headers: before })).status).toBe(400);
      expect((await call(server.port, { path: "/ping", headers: after })).status).toBe(200);
    }
  });

  test("gRPC asks for the inference key, Ping too; health answers everybody", async () => {
    const client = new RpcClient(server.grpcPort);
    const ping = async (more: Readonly<Record<string, string>>): Promise<number> =>
      (await client.call("inference", "Ping", {}, { metadata: client.newMetadata(more) })).code;
    expect(await ping({})).toBe(rpcStatus.PERMISSION_DENIED);
    expect(await ping(headers("management"))).toBe(rpcStatus.PERMISSION_DENIED);
    expect(await ping(headers("inference"))).toBe(0);
    const stream = collect(client.stream());
    expect(await stream).toMatchObject({ code: rpcStatus.PERMISSION_DENIED });
    expect((await client.call("health", "Check", { service: "" })).code).toBe(0);
    client.close();
  });

  test("a second server on the same ports leaves the key file of the first alone", async () => {
    const before = keys();
    const second = new ServerProcess([...words, "--token-auth", "--port", String(server.port)], { ownPorts: true });
    expect((await second.ended(30_000)).code).toBe(1);
    expect(keys()).toEqual(before);
  });

  test("the key is never logged, and the file is gone when the server is", async () => {
    const used = Object.values(keys()).map(({ key }) => key);
    expect((await server.stop()).code).toBe(0);
    for (const key of used) expect(server.process.output).not.toContain(key);
    expect(existsSync(keyFile)).toBe(false);
  });
});

describe("one address for both APIs", () => {
  test("each key opens its own paths there, over threads", async () => {
    const [port = 0] = await freePorts(1);
    const shared = [...words, "--token-auth", "--port", String(port), "--management-port", String(port)];
    const one = await Server.start([...shared, "--metrics-port", "0"], { ownPorts: true });
    expect(one.managementPort).toBe(port);
    const status = async (path: string, kind: Kind) => (await call(port, { path, headers: headers(kind) })).status;
    for (let i = 0; i < 3; i++) {
      expect([await status("/models", "management"), await status("/models", "inference")]).toEqual([200, 401]);
      const predicted = [await status("/predictions/x", "inference"), await status("/predictions/x", "management")];
      expect(predicted).toEqual([405, 401]);
    }
    const before = headers("inference");
    expect(await status("/token?type=inference", "API")).toBe(200);
    expect((await call(port, { path: "/predictions/x", headers: before })).status).toBe(401);
    expect((await one.stop()).code, one.process.output).toBe(0);
  });
});

describe("the switch", () => {
  test("--disable-token-auth opens the ports, with one loud line", async () => {
    const open = await Server.start([...words, "--ncs", "--ts-config", properties, "--disable-token-auth"]);
    expect((await call(open.port, { path: "/ping" })).status).toBe(200);
    expect(open.process.stderr.match(/TOKEN AUTHORIZATION IS OFF/g)).toHaveLength(1);
    expect(existsSync(keyFile)).toBe(false);
    await open.stop();
  });

  test("a key file that cannot be written ends the start, naming the options", async () => {
    const lost = new ServerProcess([...words.slice(0, 1), "--token-auth", "--key-file", join(root, "none", "k.json")]);
    expect((await lost.ended(30_000)).code).toBe(1);
    expect(lost.stderr).toMatch(/The key file \S+ cannot be written: ENOENT.*--key-file.*--no-token-auth/);
  });
});

describe("named tokens", () => {
  const file = join(root, "tokens.yaml");
  const made = (words: readonly string[]) => {
    const out = execFileSync(nodeBinary, [entry, "token", ...words, "--json"], { encoding: "utf8" });
    return JSON.parse(out) as { readonly key: string; readonly entry: { readonly name: string } };
  };
  const shop = made(["shop", "--role", "infer", "--limit", "few"]);
  const look = made(["look", "--role", "viewer"]);
  const boss = made(["boss", "--role", "admin"]);
  const write = (tokens: readonly unknown[], few: object): void =>
    writeFileSync(file, JSON.stringify({ limits: { few }, tokens }));
  const of = ({ key }: { readonly key: string }) => ({ authorization: `Bearer ${key}` });
  const body = JSON.stringify(Array.from({ length: 16 }, (_, index) => index));
  let roles: Server;
  beforeAll(async () => {
    // A request a minute: what the burst leaves is not filled up while the tests run.
    write([shop.entry, look.entry, boss.entry], { rate: 0.016, burst: 8 });
    const grpc = ["--grpc-inference-port", "0", "--grpc-management-port", "0"];
    roles = await Server.start([...words.slice(0, 3), "--tokens-file", file, ...grpc]);
  });
  afterAll(async () => expect((await roles.stop()).code, roles.process.output).toBe(0));
  const predict = (headers: Readonly<Record<string, string>>) =>
    call(roles.port, { path: "/predictions/ledger", body, headers });
  const manage = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
    call(roles.managementPort, { method, path, headers });

  test("each role does what it may, REST and gRPC alike, and is told which role it lacks", async () => {
    expect((await predict({})).status).toBe(401);
    expect((await predict(of(boss))).status).toBe(200);
    const refused = await predict(of(look));
    expect(errorOf(refused)).toMatchObject({ code: 403, type: "ForbiddenException" });
    expect((await manage("GET", "/models", of(look))).status).toBe(200);
    expect((await manage("GET", "/models", of(shop))).status).toBe(403);
    expect((await manage("PUT", "/models/ledger?min_worker=1", of(look))).status).toBe(403);
    expect((await manage("PUT", "/models/ledger?min_worker=1", of(boss))).status).toBe(202);
    const rpc = new RpcClient(roles.grpcPort);
    const ping = async (headers: Readonly<Record<string, string>>) =>
      (await rpc.call("inference", "Ping", {}, { metadata: rpc.newMetadata(headers) })).code;
    expect([await ping({}), await ping(of(look)), await ping(of(boss))]).toEqual([
      ...[rpcStatus.UNAUTHENTICATED, rpcStatus.PERMISSION_DENIED, 0],
    ]);
    rpc.close();
    const management = new RpcClient(roles.grpcManagementPort);
    const ask = async (method: string, headers: Readonly<Record<string, string>>) =>
      (await management.call("management", method, { model_name: "ledger" }, { metadata: rpc.newMetadata(headers) }))
        .code;
    expect([await ask("DescribeModel", of(look)), await ask("ScaleWorker", of(look))]).toEqual([0, 7]);
    management.close();
  });

  test("a limit holds over REST, gRPC calls and the messages of a stream, and says when to come back", async () => {
    const rpc = new RpcClient(roles.grpcPort);
    const metadata = rpc.newMetadata(of(shop));
    for (let i = 0; i < 3; i++) expect((await predict(of(shop))).status).toBe(200);
    for (let i = 0; i < 3; i++) expect((await rpc.predict("ledger", body, { metadata })).code).toBe(0);
    const stream = rpc.stream({}, metadata);
    const all = collect(stream);
    for (let i = 0; i < 3; i++) stream.write(request("ledger", body));
    expect(await all).toMatchObject({ code: rpcStatus.RESOURCE_EXHAUSTED });
    const refused = await predict(of(shop));
    expect(errorOf(refused)).toMatchObject({ code: 429, type: "TooManyRequestsException" });
    expect(errorOf(refused).message).toContain("The token shop is over its limit few of --tokens-file");
    const seconds = Number(refused.headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(63);
    const call = await rpc.predict("ledger", body, { metadata });
    expect([call.code, Number(call.trailers?.get("grpc-retry-pushback-ms")[0]) > 0]).toEqual([8, true]);
    rpc.close();
    expect((await predict(of(boss))).status).toBe(200);
    expect(await roles.metric(/^sconce_token_requests_total\{token="shop",outcome="allowed"/)).toBe(8);
    expect(await roles.metric(/^sconce_token_requests_total\{token="shop",outcome="limited"/)).toBe(3);
  });

  test("a changed file counts without a restart; a broken one changes nothing", async () => {
    write([look.entry, boss.entry], { rate: 1 });
    roles.process.child.kill("SIGHUP");
    await eventually(20_000, "shop to be shut out", async () =>
      (await predict(of(shop))).status === 401 ? true : undefined,
    );
    writeFileSync(file, "tokens: {");
    roles.process.child.kill("SIGHUP");
    await eventually(20_000, "the fault in the log", () =>
      roles.process.stderr.includes("the tokens stay as they were") ? true : undefined,
    );
    expect((await predict(of(boss))).status).toBe(200);
    for (const { key } of [shop, look, boss]) expect(roles.process.output).not.toContain(key);
  });

  test("a file that does not read ends the start", async () => {
    const lost = new ServerProcess([...words.slice(0, 1), "--tokens-file", file]);
    expect((await lost.ended(30_000)).code).toBe(2);
    expect(lost.stderr).toContain(`--tokens-file ${file}`);
  });
});
