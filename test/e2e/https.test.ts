/** HTTPS on several HTTP threads: certificates renewed under traffic, the access log in a file, an orderly end. */
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { rpcStatus } from "../../src/rpc.js";
import { RpcClient } from "../integration/grpc-client.js";
import { eventually, models, repository, Server, sleep } from "./server.js";

const fixture = (name: string): string => `${repository}test/fixtures/tls/${name}`;
const ca = ["first.pem", "second.pem"].map((name) => readFileSync(fixture(name)));
const numbers = Array.from({ length: 16 }, (_, index) => index / 8);

interface Seen {
  readonly status: number;
  readonly subject: string;
  readonly body: string;
}

function predict(port: number, agent: Agent, body: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/predictions/ledger", method: "POST", agent, ca };
    const sent = request(options, (answer) => {
      const { subject } = (answer.socket as unknown as TLSSocket).getPeerCertificate();
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, subject: String(subject.CN), body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Requests one after the other until told to stop; a new connection every `perConnection` requests. */
async function client(port: number, running: () => boolean, perConnection: number): Promise<Seen[]> {
  const seen: Seen[] = [];
  while (running()) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < perConnection && running(); count++) {
      seen.push(await predict(port, agent, JSON.stringify(numbers)));
    }
    agent.destroy();
  }
  return seen;
}

test(
  "three threads, four renewals under traffic: no request fails, and each has its line",
  { timeout: 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-https-"));
    const put = (name: string): void => {
      copyFileSync(fixture(`${name}.pem`), join(folder, "c.pem"));
      copyFileSync(fixture(`${name}-key.pem`), join(folder, "k.pem"));
    };
    put("first");
    const files = ["--certificate-file", join(folder, "c.pem"), "--private-key-file", join(folder, "k.pem")];
    const logs = ["--log-folder", join(folder, "logs"), "--access-log", "all", "--request-ids", "always"];
    const grpc = ["--grpc-inference-port", "0", "--grpc-tls"];
    const server = await Server.start([
      `${models}ledger.pt`,
      "--https",
      "--http-threads",
      "3",
      ...grpc,
      ...files,
      ...logs,
    ]);
    let running = true;
    const clients = [1, 5, 50, 1000].map((perConnection) => client(server.port, () => running, perConnection));
    const access = join(folder, "logs", "access_log.log");
    const logged = (): string => readFileSync(join(folder, "logs", "ts_log.log"), "utf8");
    const renewals = (): number => logged().match(/certificate renewed/g)?.length ?? 0;
    for (const [index, name] of ["second", "first", "second", "first"].entries()) {
      await sleep(200);
      put(name);
      // As logrotate does it; no line is lost by it.
      renameSync(access, `${access}.${index}`);
      server.process.child.kill("SIGHUP");
      await eventually(20_000, `renewal ${index + 1}`, () => (renewals() > index ? true : undefined));
    }
    await sleep(200);
    running = false;
    const seen = (await Promise.all(clients)).flat();
    const large = await predict(server.port, new Agent(), JSON.stringify({ instances: Array(1000).fill(numbers) }));
    // The gRPC thread has followed too: its certificate is the last one.
    const rpc = ca.map((authority) => new RpcClient(server.grpcPort, {}, authority));
    const answers = await Promise.all(rpc.map((each) => each.predict("ledger", JSON.stringify(numbers))));
    expect(answers.map((each) => each.code)).toEqual([0, rpcStatus.UNAVAILABLE]);
    for (const each of rpc) each.close();
    expect(seen.length).toBeGreaterThan(20);
    expect(new Set(seen.map((each) => each.status))).toEqual(new Set([200]));
    expect(new Set(seen.map((each) => each.body)).size).toBe(1);
    expect(new Set(seen.map((each) => each.subject))).toEqual(new Set(["first", "second"]));
    expect(large.status, large.body.slice(0, 200)).toBe(200);
    const exit = await server.stop();
    expect(exit.code, server.process.output).toBe(0);
    const moved = ["0", "1", "2", "3"].map((index) => `${access}.${index}`);
    const lines = [...moved, access].flatMap((path) => readFileSync(path, "utf8").trimEnd().split("\n"));
    const answered = lines.map((line) => JSON.parse(line) as { readonly status: number; readonly requestId?: string });
    expect(answered).toHaveLength(seen.length + 1);
    expect(new Set(answered.map((line) => line.requestId)).size).toBe(answered.length);
    expect(renewals()).toBe(4);
    expect(logged()).toContain('"message":"drained"');
    rmSync(folder, { recursive: true });
  },
);
