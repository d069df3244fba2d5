/** HTTPS, its renewal, and CORS, on a whole server. */

import { readFileSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, expect, test } from "vitest";
import type { ServeConfig } from "../../src/config/serve-config.js";
import { rpcStatus } from "../../src/rpc.js";
import { RpcClient } from "./grpc-client.js";
import { modelSpec, startTestServer, type TestServer } from "./support.js";

const fixture = (name: string): string => join(import.meta.dirname, "../fixtures/tls", name);
const ca = ["first.pem", "second.pem"].map((name) => readFileSync(fixture(name)));

let running: TestServer | undefined;
let folder = "";
afterEach(async () => {
  await running?.server.drain();
  running = undefined;
  if (folder !== "") rmSync(folder, { recursive: true });
  folder = "";
});

async function start(changes: Partial<ServeConfig>): Promise<TestServer> {
  running = await startTestServer([modelSpec("echo", "echo")], changes);
  return running;
}

interface Seen {
  readonly status: number;
  readonly subject: string;
  readonly body: string;
}

function call(port: number, path: string, agent: Agent, body?: string | Buffer): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const sent = request({ host: "127.0.0.1", port, path, method, agent, ca }, (answer) => {
      const subject = (answer.socket as unknown as TLSSocket).getPeerCertificate().subject.CN;
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, subject: String(subject), body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const fresh = (): Agent => new Agent({ keepAlive: false });
const ports = ({ server }: TestServer): readonly number[] => {
  const { inference, management, metrics } = server.addresses;
  return [inference.port, management.port, metrics.port];
};

test("all three ports speak HTTPS; bodies and answers of many records arrive whole", async () => {
  const server = await start({
    https: true,
    managementHttps: true,
    metricsHttps: true,
    keystore: fixture("elliptic.p12"),
  });
  const [inference = 0, management = 0, metrics = 0] = ports(server);
  expect(server.server.addresses.management.https).toBe(true);
  const numbers = Array.from({ length: 40_000 }, (_, index) => index);
  const large = await call(inference, "/predictions/echo", fresh(), JSON.stringify(numbers));
  expect([large.status, large.subject]).toEqual([200, "first"]);
  expect(JSON.parse(large.body)).toEqual(numbers);
  expect((await call(management, "/models", fresh())).body).toContain("echo");
  expect((await call(metrics, "/metrics", fresh())).body).toContain("sconce_build_info");
  await expect(fetch(`http://127.0.0.1:${inference}/ping`)).rejects.toThrow();
});

test("a renewed certificate meets new connections; open ones go on", async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-https-"));
  const [certificateFile, privateKeyFile] = [join(folder, "c.pem"), join(folder, "k.pem")];
  copyFileSync(fixture("first.pem"), certificateFile);
  copyFileSync(fixture("first-key.pem"), privateKeyFile);
  const server = await start({ https: true, managementHttps: true, certificateFile, privateKeyFile });
  const [inference = 0, management = 0, metrics = 0] = ports(server);
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  expect((await call(inference, "/predictions/echo", kept, "[1]")).subject).toBe("first");
  copyFileSync(fixture("second.pem"), certificateFile);
  copyFileSync(fixture("second-key.pem"), privateKeyFile);
  process.emit("SIGHUP");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await call(inference, "/predictions/echo", fresh(), "[1]")).subject).toBe("second");
  expect((await call(management, "/models", fresh())).subject).toBe("second");
  expect((await call(inference, "/predictions/echo", kept, "[1]")).subject).toBe("first");
  expect((await fetch(`http://127.0.0.1:${metrics}/metrics`)).status).toBe(200);
  kept.destroy();
});

test("both gRPC ports speak TLS; a renewed certificate meets new connections, open ones go on", async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-https-"));
  const [certificateFile, privateKeyFile] = [join(folder, "c.pem"), join(folder, "k.pem")];
  copyFileSync(fixture("first.pem"), certificateFile);
  copyFileSync(fixture("first-key.pem"), privateKeyFile);
  const ports = { grpcInferencePort: 0, grpcManagementPort: 0 } as const;
  const { server } = await start({ grpcTls: true, ...ports, certificateFile, privateKeyFile });
  const { inference = 0, management = 0 } = server.grpc;
  const clients: RpcClient[] = [];
  const client = (port: number, authority: Buffer | undefined): RpcClient => {
    clients.push(new RpcClient(port, {}, authority));
    return clients.at(-1)!;
  };
  const answer = async (of: RpcClient): Promise<string | number> => {
    const { code, text } = await of.predict("echo", "[1]", { deadlineMs: 20_000 });
    return code === 0 ? text : code;
  };
  const kept = client(inference, ca[0]);
  expect(await answer(kept)).toBe("[1]");
  const list = await client(management, ca[0]).call("management", "ListModels", { limit: 10 });
  expect(String(list.message["msg"])).toContain("echo");
  // Neither plain text nor a certificate of someone else gets through.
  expect(await answer(client(inference, undefined))).toBe(rpcStatus.UNAVAILABLE);
  expect(await answer(client(inference, ca[1]))).toBe(rpcStatus.UNAVAILABLE);
  copyFileSync(fixture("second.pem"), certificateFile);
  copyFileSync(fixture("second-key.pem"), privateKeyFile);
  process.emit("SIGHUP");
  // The renewal takes its time; a client that trusts the new certificate alone tells when it is there.
  for (let tries = 0; tries < 100; tries++) if ((await answer(client(inference, ca[1]))) === "[1]") break;
  expect(await answer(client(inference, ca[1]))).toBe("[1]");
  expect(await answer(client(inference, ca[0]))).toBe(rpcStatus.UNAVAILABLE);
  expect(await answer(kept)).toBe("[1]");
  for (const each of clients) each.close();
});

test("CORS: every answer has the headers, a preflight is answered; without the options there are none", async () => {
  const { base } = await start({ corsAllowedOrigin: "https://a.example", corsAllowedHeaders: "x-token" });
  const preflight = { method: "OPTIONS", headers: { "access-control-request-method": "POST" } };
  const all = [
    await fetch(`${base}/predictions/echo`, preflight),
    await fetch(`${base}/predictions/echo`, { method: "POST", body: "[1]" }),
    await fetch(`${base}/nowhere`),
  ];
  expect(all.map((each) => each.status)).toEqual([200, 200, 404]);
  for (const { headers } of all) {
    expect(headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect(headers.get("access-control-allow-headers")).toBe("x-token");
    expect(headers.get("access-control-allow-methods")).toBeNull();
  }
  await running?.server.drain();
  const plain = await start({});
  const answer = await fetch(`${plain.base}/nowhere`, preflight);
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([404, null]);
});

test("an answer over --max-response-size is an error that names it", async () => {
  const { base } = await start({ maxResponseSize: 20 });
  const send = async (body: string): Promise<Response> => fetch(`${base}/predictions/echo`, { method: "POST", body });
  expect((await send("[1]")).status).toBe(200);
  const large = await send("[1,2,3,4,5,6,7,8,9,10,11,12,13,14]");
  expect([large.status, await large.text()]).toEqual([500, expect.stringContaining("--max-response-size")]);
});
