/** Token authorization on a real server: every port, rotation, the key file and its end. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { collect, RpcClient } from "../integration/grpc-client.js";
import { call } from "./client.js";
import { errorOf, models, Server, ServerProcess } from "./server.js";

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
    expect(await ping({})).toBe(rpcStatus.UNAUTHENTICATED);
    expect(await ping(headers("management"))).toBe(rpcStatus.UNAUTHENTICATED);
    expect(await ping(headers("inference"))).toBe(0);
    const stream = collect(client.stream());
    expect(await stream).toMatchObject({ code: rpcStatus.UNAUTHENTICATED });
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
