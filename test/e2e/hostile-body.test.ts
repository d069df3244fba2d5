/** Cases 10-12: bodies at, under and over their limits, compressed bombs, a million chunks. */
import { deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, Connection, jsonOf, type Answer } from "./client.js";
import { expectError, refuses, stillServes } from "./hostile.js";
import { float32Of, ledgerAnswer, ledgerInput } from "./ledger.js";
import { models, Server, sleep } from "./server.js";

const limit = 100_000;
let server: Server;
beforeAll(async () => {
  server = await Server.start([`${models}ledger.pt`, "--max-request-size", String(limit)]);
});
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

const good = ledgerInput(11);
const path = "/predictions/ledger";

/** The known sample as JSON of exactly `bytes` bytes. */
function padded(bytes: number): string {
  const text = JSON.stringify(good);
  return text.slice(0, -1) + " ".repeat(bytes - text.length) + "]";
}

function chunked(body: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

const chunkedHead = `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`;

async function sendChunked(body: Buffer, size: number): Promise<Answer | undefined> {
  const connection = await Connection.open(server.port);
  try {
    await connection.send(chunkedHead);
    void connection.send(chunked(body, size));
    return await connection.next();
  } finally {
    connection.destroy();
  }
}

describe("case 10: --max-request-size", () => {
  test.each([limit - 1, limit])("%i bytes with Content-Length are answered", async (bytes) => {
    const answer = await call(server.port, { path, body: padded(bytes) });
    expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
  test.each([limit - 1, limit])("%i bytes in chunks are answered", async (bytes) => {
    const answer = await sendChunked(Buffer.from(padded(bytes)), 4096);
    expect([answer?.status, answer && float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
  test("one more with Content-Length is 413 and closes", async () => {
    const connection = await Connection.open(server.port);
    expectError(await connection.ask({ path, body: padded(limit + 1) }), {
      status: 413,
      says: ["--max-request-size", String(limit)],
    });
    await connection.closed(5000);
    await stillServes(server);
  });
  test("one more in chunks is 413 and closes", async () => {
    expectError(await sendChunked(Buffer.from(padded(limit + 1)), 4096), { status: 413, says: ["--max-request-size"] });
    await stillServes(server);
  });
  test("a declared 1 TB is refused before a byte of it is sent", async () => {
    const connection = await Connection.open(server.port);
    await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000000\r\n\r\n`);
    expectError(await connection.next(5000), { status: 413, says: ["--max-request-size"] });
    await connection.closed(5000);
    await stillServes(server);
  });
  test("decoded size: text that becomes more tensor bytes than the limit", () =>
    // 2 bytes of text become 4 of float32, so this body is under the limit and its tensor is not.
    refuses(server, { path, body: `[${"1,".repeat(49_000)}1]` }, { status: 400 }));
});

describe("case 11: compressed bodies", () => {
  const encodings = { gzip: gzipSync, deflate: deflateSync } as const;
  for (const [name, compress] of Object.entries(encodings)) {
    const headers = { "content-encoding": name };
    test(`${name} is inflated`, async () => {
      const answer = await call(server.port, { path, headers, body: compress(JSON.stringify(good)) });
      expect([answer.status, float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
    });
    test(`${name}: inflated to one over the limit is 413`, async () => {
      // Random digits between, so that the ratio cap is not what refuses it.
      const filler = Array.from({ length: 20_000 }, (_, i) => (((i * 2654435761) >>> 0) % 90_000) + 10_000).join();
      const body = compress(`[${filler}]`);
      expectError(await call(server.port, { path, headers, body }), { status: 413, says: ["--max-request-size"] });
      await stillServes(server);
    });
    test(`${name} bomb is 413 and leaves memory alone`, async () => {
      const bomb = compress(Buffer.alloc(60 << 20, "["));
      const before = server.rssKib();
      for (let round = 0; round < 5; round++) {
        expectError(await call(server.port, { path, headers, body: bomb }), { status: 413 });
      }
      expect(server.rssKib() - before).toBeLessThan(32 * 1024);
      await stillServes(server);
    });
    test(`${name}: cut or corrupt is 400`, async () => {
      const body = compress(padded(1000));
      await refuses(server, { path, headers, body: body.subarray(0, -6) }, { status: 400, says: [new RegExp(name)] });
      await refuses(server, { path, headers, body: Buffer.from("not compressed") }, { status: 400 });
    });
  }
  test("the ratio cap", async () => {
    const body = gzipSync(padded(limit - 10));
    const answer = await call(server.port, { path, headers: { "content-encoding": "gzip" }, body });
    expectError(answer, { status: 413, says: [/ratio/] });
  });
});

describe("case 12: chunked bodies", () => {
  test("1,000,000 one-byte chunks end in 413 or 400 with flat memory", { timeout: 60_000 }, async () => {
    await sendChunked(Buffer.from(padded(5000)), 1);
    const before = server.rssKib();
    const answer = await sendChunked(Buffer.alloc(1_000_000, " "), 1);
    expect(answer === undefined || [400, 413].includes(answer.status)).toBe(true);
    await sleep(200);
    expect(server.rssKib() - before).toBeLessThan(16 * 1024);
    await stillServes(server);
  });
  test("a body of one-byte chunks under the limit is answered", async () => {
    const answer = await sendChunked(Buffer.from(padded(20_000)), 1);
    expect([answer?.status, answer && float32Of(jsonOf(answer))]).toEqual([200, ledgerAnswer(good)]);
  });
});

describe.concurrent("case 12: chunks that are none", () => {
  test.each([
    ["size overflow", "fffffffffffffffff\r\nxx"],
    ["negative size", "-5\r\nhello\r\n0\r\n\r\n"],
    ["no hex", "zz\r\nhello\r\n0\r\n\r\n"],
    ["a missing line end", "5\r\nhelloXX0\r\n\r\n"],
    ["empty size", "\r\nhello\r\n"],
  ])("%s is refused and closes", async (_, body) => {
    const connection = await Connection.open(server.port);
    await connection.send(chunkedHead + body);
    const answer = await connection.next(20_000).catch(() => undefined);
    if (answer !== undefined) expect([400, 413]).toContain(answer.status);
    await connection.closed(20_000);
    await stillServes(server);
  });
});
