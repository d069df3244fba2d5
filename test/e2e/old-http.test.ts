/** HTTP/1.0, with --old-http: what ab, old health checks and nginx as it comes send. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server, sleep } from "./server.js";

const ab = spawnSync("ab", ["-V"]).status === 0;
if (!ab) console.warn("ab is not installed: its test is SKIPPED (apt-get install apache2-utils)");

const path = "/predictions/ledger";
const body = JSON.stringify(ledgerInput(7));
const post = (more = ""): string =>
  `POST ${path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;

/** All bytes until the server closes. */
function raw(port: number, text: string, then?: (socket: ReturnType<typeof connect>) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let got = "";
    socket.on("data", (bytes: Buffer) => {
      got += bytes.toString("latin1");
      then?.(socket);
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(got));
  });
}
/** All bytes until the server closes, of what is sent piece by piece. */
function inPieces(port: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const send = async (): Promise<void> => {
      for (const piece of pieces) {
        socket.write(piece);
        await sleep(40);
      }
    };
    socket.on("connect", () => void send());
    socket.on("data", (bytes: Buffer) => (got += bytes.toString("latin1")));
    socket.on("error", reject);
    socket.on("close", () => resolve(got));
  });
}
const bodyOf = (answer: string): Buffer => Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4), "latin1");

describe("with --old-http", () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start([`${models}ledger.pt`, "--old-http", "--access-log", "all", "--http-threads", "2"]);
  }, 60_000);
  afterAll(async () => {
    expect((await server.stop()).code, server.process.output).toBe(0);
  });

  test("an answer, and the end of the connection", async () => {
    const answer = await raw(server.port, post());
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n/i);
    expect(answer).toMatch(/\r\ncontent-length: \d+\r\n/i);
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(ledgerFault(7, bodyOf(answer))).toBeUndefined();
    await eventually(
      10_000,
      "its line with the client's address",
      () =>
        /"path":"\/predictions\/ledger","status":200,.*"address":"127\.0\.0\.1"/.test(server.process.stderr) ||
        undefined,
    );
  });

  test("several requests on a connection that is kept alive", async () => {
    let sent = 1;
    const keep = "connection: Keep-Alive\r\n";
    const answers = await raw(server.port, post(keep), (socket) => {
      socket.write(sent++ < 3 ? post(keep) : post());
      if (sent === 5) socket.removeAllListeners("data");
    });
    expect(answers.match(/HTTP\/1\.1 200 OK/g)?.length).toBeGreaterThanOrEqual(3);
    expect(answers).toMatch(/connection: keep-alive/i);
  });

  test.each([
    ["GET /ping HTTP/1.0\r\n\r\n", 200],
    ["HEAD /ping HTTP/1.0\r\n\r\n", 200],
    ["OPTIONS / HTTP/1.0\r\n\r\n", 200],
    ["GET /nothing HTTP/1.0\r\n\r\n", 404],
    [`POST ${path} HTTP/1.0\r\ncontent-length: 99999999999\r\n\r\n`, 413],
    [`POST ${path} HTTP/1.0\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n`, 400],
    [`GET /ping HTTP/1.0\r\nx: ${"a".repeat(20_000)}\r\n\r\n`, 431],
    ["GET /\u0001 HTTP/1.0\r\n\r\n", 400],
    ["GET http://host/ping HTTP/1.0\r\n\r\n", 505],
    ["GET /ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 200],
    ["GET /ping HTTP/9.0\r\n\r\n", 505],
  ] as const)("%j: %i", async (text, status) => {
    expect(await raw(server.port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test.each(["GET /models HTTP/1.0\r\n\r\n", "GET /models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"])(
    "on the management port, too: %j",
    async (text) => expect(await raw(server.managementPort, text)).toMatch(/^HTTP\/1\.1 200 [^]*"modelName": "ledger"/),
  );

  test("on the metrics port, too", async () => {
    expect(await raw(server.metricsPort, "GET /metrics HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 [^]*sconce_/);
  });

  test.each(["1.0", "1.1"])("a first line that comes in two pieces, cut anywhere: HTTP/%s", async (version) => {
    const text = `GET /ping HTTP/${version}\r\nhost: x\r\nconnection: close\r\n\r\n`;
    const ports = [server.port, server.managementPort];
    const cuts = Array.from({ length: text.indexOf("\n") }, (_, index) => index + 1);
    const answers = cuts.map((cut, index) => inPieces(ports[index % 2] ?? 0, [text.slice(0, cut), text.slice(cut)]));
    for (const [index, answer] of (await Promise.all(answers)).entries()) {
      expect(answer, `cut at ${cuts[index]}`).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  test("a first line that never ends", { timeout: 60_000 }, async () => {
    expect(await raw(server.port, "GET /pi")).toBe("");
  });

  test("a client cannot say that it is another", async () => {
    await raw(server.port, "GET /spoofed HTTP/1.0\r\nx-forwarded-for: 9.9.9.9\r\n\r\n");
    await eventually(10_000, "its line", () => server.process.stderr.includes("/spoofed") || undefined);
    expect(server.process.stderr).not.toContain("9.9.9.9");
  });

  test("HTTP/1.1 beside it, and no descriptor is lost", async () => {
    const count = (): number => readdirSync(`/proc/${server.process.pid}/fd`).length;
    const round = async (): Promise<void> => {
      const one = call(server.port, { path, headers: { "content-type": "application/json" }, body });
      const [answer] = await Promise.all([one, raw(server.port, post()), raw(server.port, post())]);
      expect(answer.status).toBe(200);
      expect(ledgerFault(7, answer.body)).toBeUndefined();
    };
    for (let i = 0; i < 10; i++) await round();
    const before = count();
    for (let i = 0; i < 100; i++) await round();
    await eventually(20_000, "descriptors to be as before", () => count() <= before + 2 || undefined);
  });

  test("clients that leave in the middle, at any point", async () => {
    const text = post();
    for (const length of [10, 40, text.length - 5, text.length]) {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(text.slice(0, length)));
      socket.on("error", () => undefined);
      await sleep(50);
      socket.destroy();
    }
    expect(await raw(server.port, post())).toContain("200 OK");
    await eventually(20_000, "no request in flight", async () => (await server.inFlight()) === 0 || undefined);
  });

  // The other tests send what it sends; this one is that a program which nobody here wrote is content.
  test.skipIf(!ab)("ApacheBench", () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-ab-"));
    writeFileSync(join(folder, "body"), body);
    for (const keep of [[], ["-k"]]) {
      const load = ["-n", "500", "-c", "8", "-p", join(folder, "body"), "-T", "application/json"];
      const { stdout } = spawnSync("ab", [...keep, ...load, `http://127.0.0.1:${server.port}${path}`]);
      expect(stdout.toString()).toMatch(/Complete requests: +500\nFailed requests: +0\n/);
      expect(stdout.toString()).not.toContain("Non-2xx");
    }
    rmSync(folder, { recursive: true });
  });
});

test("without it such a request is refused", { timeout: 60_000 }, async () => {
  const server = await Server.start([`${models}ledger.pt`]);
  expect(await raw(server.port, "GET /ping HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 505 /);
  await server.stop();
});

test("a drain ends connections that are kept alive", { timeout: 60_000 }, async () => {
  const server = await Server.start([`${models}ledger.pt`, "--old-http"]);
  let first = "";
  const all = raw(server.port, "GET /ping HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", () => (first = "there"));
  await eventually(10_000, "the answer", () => first || undefined);
  expect((await server.stop()).code).toBe(0);
  expect(await all).toMatch(/^HTTP\/1\.1 200 /);
});

test("a port that is taken is said", { timeout: 60_000 }, async () => {
  const server = await Server.start([`${models}ledger.pt`]);
  const ports = ["--port", String(server.port), "--management-port", "0", "--metrics-port", "0"];
  const second = Server.start([`${models}ledger.pt`, "--old-http", ...ports], { ownPorts: true });
  await expect(second).rejects.toThrow(`Cannot listen on 127.0.0.1:${server.port}`);
  await server.stop();
});

/** A connection that asks once; whether it was answered before `withinMs`. */
async function asked(port: number, text: string, withinMs: number) {
  const socket = connect(port, "127.0.0.1", () => socket.write(text));
  const answer = new Promise<boolean>((resolve) => {
    socket.on("data", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
  return { socket, answered: await Promise.race([answer, sleep(withinMs).then(() => false)]) };
}

test("no descriptor is left for the way inside", { timeout: 90_000 }, async () => {
  const server = await Server.start([`${models}ledger.pt`, "--old-http"], { shellBefore: "ulimit -n 100" });
  const open: ReturnType<typeof connect>[] = [];
  for (let answered = true; answered;) {
    const next = await asked(server.port, "GET /ping HTTP/1.1\r\nhost: x\r\n\r\n", 2000);
    open.push(next.socket);
    answered = next.answered;
  }
  expect(open.length).toBeGreaterThan(20);
  // One for the connection itself, and none for the pair behind it.
  open.shift()?.destroy();
  await sleep(200);
  const old = await asked(server.port, "GET /ping HTTP/1.0\r\n\r\n", 2000);
  expect(old.answered).toBe(false);
  old.socket.destroy();
  for (const socket of open) socket.destroy();
  await eventually(30_000, "answers again", async () => {
    const answer = await raw(server.port, "GET /ping HTTP/1.0\r\n\r\n").catch(() => "");
    return answer.startsWith("HTTP/1.1 200") || undefined;
  });
  expect((await server.stop()).code, server.process.output).toBe(0);
});
