/** Cases 13, 14, 18, 19, 24, 26: framing, headers, verbs and paths. "html" marks what the HTTP parser answers itself. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, Connection, jsonOf, requestBytes, type Answer } from "./client.js";
import { expectError, refuses, stillServes } from "./hostile.js";
import { float32Of, ledgerAnswer, ledgerInput } from "./ledger.js";
import { models, Server } from "./server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start([`${models}ledger.pt`]);
});
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

const path = "/predictions/ledger";
const good = ledgerInput(3);
const body = JSON.stringify(good);

/** Sends bytes as they are, and returns the first answer and how the connection stands afterwards. */
async function raw(bytes: string | Buffer): Promise<{ answer: Answer | undefined; connection: Connection }> {
  const connection = await Connection.open(server.port);
  await connection.send(bytes);
  const answer = await connection.next(20_000);
  return { answer, connection };
}

function post(headers: string, sent = body): string {
  return `POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n${sent}`;
}

const length = `content-length: ${body.length}\r\n`;
const inChunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

describe.concurrent("case 13: framing in doubt is 400 and closes", () => {
  test.each([
    ["two equal Content-Lengths", post(length + length)],
    ["two different Content-Lengths", post(`${length}content-length: 5\r\n`)],
    ["a list of lengths", post(`content-length: ${body.length}, ${body.length}\r\n`)],
    ["a signed length", post(`content-length: +${body.length}\r\n`)],
    ["a hexadecimal length", post("content-length: 0x10\r\n")],
    ["a length with trailing words", post(`content-length: ${body.length}abc\r\n`)],
    ["a length of 30 digits", post(`content-length: ${"9".repeat(30)}\r\n`)],
    ["Transfer-Encoding: xchunked", post("transfer-encoding: xchunked\r\n", inChunks)],
    ["Transfer-Encoding: gzip, chunked", post("transfer-encoding: gzip, chunked\r\n", inChunks)],
    ["Transfer-Encoding twice", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", inChunks)],
    ["Content-Length and Transfer-Encoding", post(`${length}transfer-encoding: chunked\r\n`, inChunks)],
    ["Transfer-Encoding and Content-Length", post(`transfer-encoding: chunked\r\n${length}`, inChunks)],
    ["a folded header", post(`x-a: 1\r\n folded\r\n${length}`)],
    ["bare line feeds", post(length).replaceAll("\r\n", "\n")],
    ["a space before the colon", post(`content-length : ${body.length}\r\n`)],
    ["no Host", `POST ${path} HTTP/1.1\r\n${length}\r\n${body}`],
    ["two Hosts", post(`host: y\r\n${length}`)],
    ["NUL in a header", post(`x-a: a\0b\r\n${length}`)],
  ])("%s", async (_, bytes) => {
    const { answer, connection } = await raw(bytes);
    // Without a carriage return the parser finds no version that it knows.
    if (answer !== undefined) expect([400, 505]).toContain(answer.status);
    await connection.closed(20_000);
    expect(connection.rest).not.toContain("HTTP/1.1 200");
    await stillServes(server);
  });

  test("what the server refuses itself has its error body", async () => {
    const { answer } = await raw(post(`${length}content-length: 5\r\n`));
    expectError(answer, { status: 400, says: [/content-length/i] });
    const { answer: coding } = await raw(post("transfer-encoding: xchunked\r\n", inChunks));
    expectError(coding, { status: 400, says: [/transfer-encoding/i] });
  });

  test("a smuggled second request is never answered", async () => {
    const inner = `GET /ping HTTP/1.1\r\nhost: x\r\n\r\n`;
    const { connection } = await raw(post(`content-length: ${body.length + inner.length}\r\n${length}`, body + inner));
    await connection.closed(20_000);
    expect(connection.rest).not.toContain("Healthy");
  });

  test.each([
    ["the longer length first", `${length}content-length: 5\r\n`, body],
    ["a coding that is none", "transfer-encoding: xchunked\r\n", inChunks],
    ["two Hosts", `host: y\r\n${length}`, body],
  ])("what comes behind a doubtful request is no request: %s", async (_, headers, sent) => {
    const { answer, connection } = await raw(post(headers, `${sent}GET /ping HTTP/1.1\r\nhost: x\r\n\r\n`));
    // Closed at once, by the parser without an answer or by sconce with it.
    if (answer !== undefined) expectError(answer, { status: 400 });
    await connection.closed(5000);
    expect(connection.rest).not.toContain("Healthy");
    await stillServes(server);
  });
});

describe("case 14: header limits", () => {
  const filler = (bytes: number): string => `x-filler: ${"f".repeat(bytes)}\r\n`;

  test("16,000 bytes of headers are accepted", async () => {
    const { answer } = await raw(post(filler(15_500) + length));
    expect([answer?.status, answer && float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
  test.each([
    ["16,385 bytes", filler(16_385)],
    ["a 64 KiB cookie", `cookie: a=${"c".repeat(65_536)}\r\n`],
    ["101 headers", Array.from({ length: 101 }, (_, i) => `x-h${i}: v\r\n`).join("")],
    ["10,000 headers", Array.from({ length: 10_000 }, (_, i) => `x-h${i}: v\r\n`).join("")],
  ])("%s are 431 and close", async (_, headers) => {
    const { answer, connection } = await raw(post(headers + length));
    if (answer !== undefined) expect([431, 400]).toContain(answer.status);
    await connection.closed(20_000);
    await stillServes(server);
  });
  test("90 headers are accepted", async () => {
    const headers = Array.from({ length: 90 }, (_, i) => `x-h${i}: v\r\n`).join("");
    const { answer } = await raw(post(headers + length));
    expect(answer?.status).toBe(200);
  });
});

describe("case 18: old, odd and upgraded HTTP", () => {
  test("pipelined predictions: whatever is answered is right and in order, then the connection may close", async () => {
    const samples = [1, 2, 3, 4].map(ledgerInput);
    const connection = await Connection.open(server.port);
    await connection.send(Buffer.concat(samples.map((sample) => requestBytes({ path, body: JSON.stringify(sample) }))));
    let answered = 0;
    for (const sample of samples) {
      const answer = await connection.next(20_000);
      if (answer === undefined) break;
      expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(sample)]);
      answered++;
    }
    if (answered < samples.length) await connection.closed(20_000);
    connection.destroy();
    await stillServes(server);
  });

  test("two requests one after the other use the same connection, after an error too", async () => {
    const connection = await Connection.open(server.port);
    const statuses: (number | undefined)[] = [];
    for (const sent of [body, "[1", body]) statuses.push((await connection.ask({ path, body: sent }))?.status);
    expect(statuses).toEqual([200, 400, 200]);
    connection.destroy();
  });

  test.each([
    ["HTTP/1.0", `GET /ping HTTP/1.0\r\nhost: x\r\n\r\n`],
    ["HTTP/0.9", "GET /ping\r\n\r\n"],
    ["HTTP/2.0 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["HTTP/9.9", "GET /ping HTTP/9.9\r\nhost: x\r\n\r\n"],
    ["TLS", Buffer.from("160301020001000001fc0303", "hex")],
    ["nothing but line ends", "\r\n\r\n\r\n\r\n"],
    ["binary noise", Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 37) % 256))],
  ])("%s is refused without harm", async (_, bytes) => {
    const connection = await Connection.open(server.port);
    await connection.send(bytes);
    connection.socket.end();
    const ending = await connection.closed(20_000);
    expect(["fin", "reset"]).toContain(ending);
    if (connection.rest.length > 0) expect(connection.rest).toMatch(/^HTTP\/1\.1 (400|404|405|426|501|505) /);
    await stillServes(server);
  });

  test("Expect: 100-continue is followed by the answer", async () => {
    const connection = await Connection.open(server.port);
    await connection.send(post(`expect: 100-continue\r\n${length}`, ""));
    const interim = await connection.next(10_000);
    await connection.send(body);
    const answer = interim?.status === 100 ? await connection.next() : interim;
    expect([answer?.status, answer && float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
    connection.destroy();
  });

  test("Expect with a body over the limit ends in 413", async () => {
    const { answer, connection } = await raw(post("expect: 100-continue\r\ncontent-length: 99999999999\r\n", ""));
    expectError(answer?.status === 100 ? await connection.next() : answer, {
      status: 413,
      says: ["--max-request-size"],
    });
    await connection.closed(10_000);
  });

  test("the metrics port passes over a body, however it is framed", async () => {
    for (const framed of ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]) {
      const connection = await Connection.open(server.metricsPort);
      await connection.send(`GET /metrics HTTP/1.1\r\nhost: x\r\n${framed}`);
      expect((await connection.next())?.status).toBe(200);
      expect((await connection.ask({ path: "/metrics" }))?.status).toBe(200);
      connection.destroy();
    }
  });

  test("a client that shuts down its side before the answer is taken for one that left", async () => {
    const connection = await Connection.open(server.port);
    await connection.send(post(length, ""));
    connection.socket.end();
    await connection.closed(5000);
    expect(connection.rest).toBe("");
    await server.idle();
    await stillServes(server);
  });

  test("Upgrade is ignored", async () => {
    const { answer } = await raw(post(`connection: Upgrade\r\nupgrade: websocket\r\n${length}`));
    expect(answer?.status).toBe(200);
  });

  test.each(["GET", "DELETE", "PATCH", "HEAD"])("%s on a prediction is 405 with Allow", async (method) => {
    const connection = await Connection.open(server.port);
    await connection.send(`${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const head = /^HTTP\/1\.1 405 [\s\S]*?\r\nallow: ([^\r]*)/i;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(head.exec(connection.rest)?.[1]).toMatch(/POST.*PUT|PUT.*POST/);
    connection.destroy();
    await stillServes(server);
  });

  test.each(["CONNECT x:80", "TRACE /ping", "TRACE /predictions/ledger", "OPTIONS *", "FOO /ping"])(
    "%s",
    async (line) => {
      const connection = await Connection.open(server.port);
      await connection.send(`${line} HTTP/1.1\r\nhost: x\r\nx-secret: s3cret\r\n\r\n`);
      connection.socket.end();
      await connection.closed(20_000);
      if (connection.rest.length > 0) expect(connection.rest).toMatch(/^HTTP\/1\.1 [1-5]\d\d /);
      expect(connection.rest).not.toContain("s3cret");
      await stillServes(server);
    },
  );

  test("PUT is answered like POST", async () => {
    const answer = await call(server.port, { method: "PUT", path, body });
    expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
});

describe("case 19: paths", () => {
  test.each([
    "/predictions/%2e%2e",
    "/predictions/../../etc/passwd",
    "/predictions//ledger",
    "//predictions/ledger",
    "/predictions/%00",
    "/predictions/ledger%00",
    `/predictions/${"a".repeat(8192)}`,
    "/predictions/a%2Fb",
    "/predictions/%0a",
    "/predictions/%F0%9F%94%A5",
    "/predictions/%",
    "/predictions/%zz",
    "/predictions/%ff%fe",
    "/predictions/",
    "/predictions",
    "/predictions/ledger/99",
    "/predictions/ledger/%2e%2e",
    "/models/%2e%2e/x",
    "/nothing/here",
    "/",
  ])("%s is 400, 404 or 405 and nothing else", async (bad) => {
    const answer = await call(server.port, { path: bad, body });
    expect([400, 404, 405], `${bad.slice(0, 60)}: ${answer.body.toString().slice(0, 200)}`).toContain(answer.status);
    expectError(answer, { status: answer.status });
    expect(answer.body.length).toBeLessThan(2048);
    await stillServes(server);
  });
  test("an unknown model and version are named", async () => {
    await refuses(server, { path: "/predictions/absent", body }, { status: 404, says: ["absent"] });
    await refuses(server, { path: "/predictions/ledger/99", body }, { status: 404, says: ["ledger", "99"] });
  });
});

describe("case 24 and 26: nothing of the client's is echoed raw", () => {
  test("a model name with encoded CRLF cannot inject a header or a log line", async () => {
    const name = "x%0d%0aset-cookie:%20evil=1%0d%0a%0d%0aforged";
    const answer = await call(server.port, { path: `/predictions/${name}`, body });
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers.has("set-cookie")).toBe(false);
    expect(`${server.process.stderr}${server.process.stdout}`).not.toMatch(/^forged/m);
    await stillServes(server);
  });
  test.each([
    ["8 KiB", "i".repeat(8192)],
    ["not ASCII", "id-\xe9\xff"],
    ["a quote", 'id"\\'],
  ])("a request id of %s", async (_, id) => {
    const { answer } = await raw(post(`x-request-id: ${id}\r\n${length}`));
    expect(answer?.status).toBe(200);
    expect(answer?.headers.get("x-request-id")?.length ?? 0).toBeLessThanOrEqual(256);
    const metrics = (await call(server.metricsPort, { path: "/metrics" })).body.toString();
    expect(metrics).not.toContain(id.slice(0, 40));
  });
  test("a request id of 1 MiB is refused", async () => {
    const { answer, connection } = await raw(post(`x-request-id: ${"i".repeat(1 << 20)}\r\n${length}`));
    if (answer !== undefined) expect(answer.status).toBe(431);
    await connection.closed(20_000);
    await stillServes(server);
  });
});
