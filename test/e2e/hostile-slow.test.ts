/** Cases 15-17: slow senders, slow readers, clients that leave at every stage. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, Connection, jsonOf, requestBytes } from "./client.js";
import { stillServes } from "./hostile.js";
import { ledgerInput } from "./ledger.js";
import { eventually, models, Server, sleep } from "./server.js";

let server: Server;
beforeAll(async () => {
  const names = ["ledger", "slow", "wide"].map((name) => `${models}${name}.pt`);
  server = await Server.start([...names, "--write-timeout", "3", "--body-timeout", "5"]);
});
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

const path = "/predictions/ledger";
const body = JSON.stringify(ledgerInput(17));
const wholeRequest = requestBytes({ path, body });
const headers = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;

/** Sends `pieces` one at a time until the peer closes; says after how many milliseconds it did. */
async function trickle(pieces: Iterable<string>, everyMs: number, patienceMs: number): Promise<number> {
  const connection = await Connection.open(server.port);
  const began = Date.now();
  for (const piece of pieces) {
    if (connection.ending !== "open" || Date.now() - began > patienceMs) break;
    void connection.send(piece);
    await sleep(everyMs);
  }
  await connection.closed(Math.max(1, patienceMs - (Date.now() - began)));
  expect(connection.rest).not.toContain("HTTP/1.1 200");
  connection.destroy();
  return Date.now() - began;
}

describe.concurrent("case 15: slow senders are closed and harm nobody", () => {
  test("headers, one byte every 2 s", { timeout: 60_000 }, async () => {
    await trickle(headers, 2000, 40_000);
  });
  test("a body, one byte a second", { timeout: 60_000 }, async () => {
    await trickle([headers, ...Array.from(body)], 1000, 30_000);
  });
  test("a body that stops", { timeout: 60_000 }, async () => {
    await trickle([headers + body.slice(0, 5)], 10, 30_000);
  });
  test("idle from the start", { timeout: 60_000 }, async () => {
    await trickle([], 10, 40_000);
  });
  test("others are served meanwhile", { timeout: 60_000 }, async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => Connection.open(server.port)));
    await Promise.all(slow.map((each) => each.send(headers.slice(0, 40))));
    for (let round = 0; round < 50; round++) expect((await call(server.port, { path, body }, 2000)).status).toBe(200);
    for (const each of slow) each.destroy();
  });
});

describe("case 16: a slow reader of a large answer", () => {
  const wide = requestBytes({
    path: "/predictions/wide",
    body: "[0.5]",
    headers: { accept: "application/octet-stream" },
  });

  test("the answer is whole for a reader in good time", async () => {
    const answer = await call(server.port, {
      path: "/predictions/wide",
      body: "[0.5]",
      headers: { accept: "application/octet-stream" },
    });
    expect(answer.status, answer.body.toString("utf8", 0, 200)).toBe(200);
    const floats = new Float32Array(new Uint8Array(answer.body).buffer);
    expect([floats.length, floats[0], floats[1_999_999]]).toEqual([2_000_000, 0.5, 1_999_999.5]);
    const text = await call(server.port, { path: "/predictions/wide", body: "[0.5]" });
    expect((jsonOf(text) as number[]).length).toBe(2_000_000);
  });

  test(
    "one that does not read is cut after --write-timeout, and its memory comes back",
    { timeout: 60_000 },
    async () => {
      const before = server.rssKib();
      const readers = await Promise.all(Array.from({ length: 8 }, () => Connection.open(server.port)));
      for (const reader of readers) reader.socket.pause();
      await Promise.all(readers.map((reader) => reader.send(wide)));
      await sleep(1000);
      await stillServes(server);
      await sleep(6000);
      for (const reader of readers) reader.socket.resume();
      for (const reader of readers) {
        await reader.closed(10_000);
        expect(reader.bytesReceived).toBeLessThan(8_000_000);
      }
      await server.idle();
      await stillServes(server);
      expect(server.rssKib() - before).toBeLessThan(160 * 1024);
    },
  );
});

describe("case 17: clients that leave", () => {
  type Leave = (connection: Connection) => Promise<void> | void;
  const stages: readonly (readonly [string, Leave])[] = [
    ["before a byte", () => undefined],
    ["before the headers end", (each) => each.send(headers.slice(0, 30))],
    ["after the headers", (each) => each.send(headers)],
    ["in the middle of the body", (each) => each.send(headers + body.slice(0, 20))],
    ["right after the request", (each) => each.send(wholeRequest)],
    ["in the queue or while it runs", (each) => each.send(requestBytes({ path: "/predictions/slow", body: "[1]" }))],
    [
      "after half of a chunked body",
      (each) => each.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[1,2,\r\n`),
    ],
  ];

  test("10,000 of them at every stage leave nothing in flight", { timeout: 120_000 }, async () => {
    await stillServes(server);
    let started = 0;
    const one = async (): Promise<void> => {
      while (started < 10_000) {
        const index = started++;
        const connection = await Connection.open(server.port);
        await stages[index % stages.length]?.[1](connection);
        if (index % 3 === 0) connection.reset();
        else connection.destroy();
      }
    };
    await Promise.all(Array.from({ length: 32 }, one));
    await server.idle();
    await stillServes(server);
  });

  test("in the middle of a large answer", { timeout: 60_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const connection = await Connection.open(server.port);
      await connection.send(requestBytes({ path: "/predictions/wide", body: "[1]" }));
      await eventually(10_000, "the first bytes", () => (connection.bytesReceived > 0 ? true : undefined));
      if (round % 2 === 0) connection.reset();
      else connection.destroy();
    }
    await server.idle();
    await stillServes(server);
  });

  test("a client that leaves the queue frees its place for others", { timeout: 60_000 }, async () => {
    const leaving = await Promise.all(Array.from({ length: 40 }, () => Connection.open(server.port)));
    await Promise.all(leaving.map((each) => each.send(requestBytes({ path: "/predictions/slow", body: "[200]" }))));
    for (const each of leaving) each.destroy();
    const answer = await call(server.port, { path: "/predictions/slow", body: "[1]" });
    expect([answer.status, jsonOf(answer)]).toEqual([200, [1]]);
    await server.idle();
  });
});
