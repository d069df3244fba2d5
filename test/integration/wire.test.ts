import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelSpec, pause, post, RawClient, startTestServer, type TestServer } from "./support.js";

let it: TestServer;
beforeAll(async () => {
  it = await startTestServer(
    [
      modelSpec("echo", "echo.pt"),
      modelSpec("slow", "slow.pt", { responseTimeoutMs: 200 }),
      modelSpec("hasty", "slow-hasty.pt", { responseTimeoutMs: 2000, clientTimeoutMs: 100 }),
    ],
    {},
    600,
  );
});
afterAll(async () => {
  await it.server.drain();
});

async function exchange(bytes: string): Promise<{ status: number; head: string; body: string; client: RawClient }> {
  const client = await RawClient.connect(it.port);
  client.send(bytes);
  return { ...(await client.answer()), client };
}

async function stillServes(): Promise<void> {
  const answer = await fetch(`${it.base}/predictions/echo`, { method: "POST", body: "[42]" });
  expect(await answer.json()).toEqual([42]);
}

/** The value of a metric's first series whose line starts with `series`. */
async function metric(series: string): Promise<number> {
  const text = await (await fetch(`${it.metrics}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(series))
      ?.split(" ")[1],
  );
}

describe("framing", () => {
  const head = (fields: string): string => `POST /predictions/echo HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n`;
  test.each([
    ["two lengths that agree", head("Content-Length: 3\r\nContent-Length: 3") + "[1]"],
    ["two lengths that differ", head("Content-Length: 3\r\nContent-Length: 30") + "[1]"],
    ["xchunked", head("Transfer-Encoding: xchunked") + "3\r\n[1]\r\n0\r\n\r\n"],
    ["gzip, chunked", head("Transfer-Encoding: gzip, chunked") + "3\r\n[1]\r\n0\r\n\r\n"],
    ["chunked twice", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked") + "3\r\n[1]\r\n0\r\n\r\n"],
    ["both", head("Content-Length: 3\r\nTransfer-Encoding: chunked") + "3\r\n[1]\r\n0\r\n\r\n"],
  ])("%s: 400 and the connection closes", async (_what, bytes) => {
    const { status, client } = await exchange(bytes);
    expect(status).toBe(400);
    await client.until(() => client.closed);
    await stillServes();
  });

  test.each([
    ["no Host", "POST /predictions/echo HTTP/1.1\r\nContent-Length: 3\r\n\r\n[1]"],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["headers over 16 KiB", `GET /ping HTTP/1.1\r\nHost: x\r\nCookie: ${"c".repeat(17_000)}\r\n\r\n`],
  ])("%s: refused by the parser, and closed", async (_what, bytes) => {
    const client = await RawClient.connect(it.port);
    client.send(bytes);
    await client.until(() => client.closed);
    expect(client.received).not.toContain(" 200 ");
    await stillServes();
  });

  test("headers of 15 KiB pass", async () => {
    const { status, client } = await exchange(`GET /ping HTTP/1.1\r\nHost: x\r\nCookie: ${"c".repeat(15_000)}\r\n\r\n`);
    expect(status).toBe(200);
    client.socket.destroy();
  });

  test("chunked passes, in one chunk or many", async () => {
    const chunks = (text: string): string => Array.from(text, (each) => `1\r\n${each}\r\n`).join("") + "0\r\n\r\n";
    const { body, client } = await exchange(head("Transfer-Encoding: Chunked") + chunks("[1,2,3]"));
    expect(body).toBe("[1,2,3]");
    client.socket.destroy();
  });
});

describe("the connection after an answer", () => {
  test("stays open when the request was read to its end, errors included", async () => {
    const client = await RawClient.connect(it.port);
    for (const [bytes, status] of [
      [post("/predictions/echo", "[1]"), 200],
      [post("/predictions/echo", "nope"), 400],
      [post("/predictions/nobody", "[1]"), 404],
      [post("/nowhere", "[1]"), 404],
      ["GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", 200],
      ["DELETE /predictions/echo HTTP/1.1\r\nHost: x\r\n\r\n", 405],
      [post("/predictions/echo", "[2]"), 200],
    ] as const) {
      client.send(bytes);
      const answer = await client.answer();
      expect(answer.status).toBe(status);
      expect(answer.head.toLowerCase()).not.toContain("connection: close");
    }
    expect(client.closed).toBe(false);
    client.socket.destroy();
  });

  test("HEAD says the length and sends nothing", async () => {
    const client = await RawClient.connect(it.port);
    for (let round = 0; round < 2; round++) {
      client.received = "";
      client.send("HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n");
      await client.until(() => client.received.includes("\r\n\r\n"));
      await pause(30);
      expect(client.received).toMatch(/content-length: [1-9]/i);
      expect(client.received.endsWith("\r\n\r\n")).toBe(true);
    }
    client.received = "";
    client.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
    expect((await client.answer()).body).toContain("Healthy");
    client.socket.destroy();
  });

  test("closes after 413 when the rest of the body is too long to wait for", async () => {
    const { status, client } = await exchange(
      "POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    );
    expect(status).toBe(413);
    await client.until(() => client.closed);
  });

  test("closes after 408 when the body does not come", async () => {
    const { status, client } = await exchange(
      "POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[1",
    );
    expect(status).toBe(408);
    await client.until(() => client.closed);
  });
});

test("too many chunks: 413", async () => {
  const one = "1\r\n1\r\n";
  const client = await RawClient.connect(it.port);
  client.send("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send(one.repeat(70_000) + "0\r\n\r\n");
  expect((await client.answer()).status).toBe(413);
  client.socket.destroy();
  await stillServes();
});

test("no answer within the model's timeout: 504, and the connection goes on", async () => {
  const { status, body, client } = await exchange(post("/predictions/slow", "[1]"));
  expect(status).toBe(504);
  expect(body).toContain("--response-timeout");
  client.send(post("/predictions/echo", "[1]"));
  expect((await client.answer()).body).toBe("[1]");
  client.socket.destroy();
});

test.each([
  ["/predictions/hasty", "[1]"],
  ["/v2/models/hasty/infer", '{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}'],
])("no answer within the model's clientTimeoutInMills: 504 at %s", async (path, asked) => {
  const { status, body, client } = await exchange(post(path, asked));
  expect([status, body]).toEqual([504, expect.stringContaining("within 0.1 s (the model's clientTimeoutInMills)")]);
  client.socket.destroy();
});

describe("clients that leave", () => {
  test("before the headers end, in the body, and while the model works", async () => {
    const leave = async (bytes: string): Promise<void> => {
      const client = await RawClient.connect(it.port);
      client.send(bytes);
      await pause(10);
      client.socket.destroy();
    };
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        leave("POST /predictions/slow HTTP/1.1\r\nHost"),
        leave("POST /predictions/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[1,"),
        leave(post("/predictions/slow", "[1]")),
        leave(post("/predictions/echo", "[1]")),
      ]);
    }
    await pause(800);
    expect(await metric("sconce_http_in_flight")).toBe(0);
    expect(await metric('sconce_in_flight{model="slow"')).toBe(0);
    await stillServes();
  });
});

describe("a large answer", () => {
  const large = `[${"7,".repeat(400_000)}7]`;

  test("arrives whole at a client that reads", async () => {
    const server = await startTestServer([modelSpec("echo", "echo.pt")]);
    const answer = await fetch(`${server.base}/predictions/echo`, { method: "POST", body: large });
    expect(await answer.text()).toBe(large);
    await server.server.drain();
  });

  test("is cut for one that does not", async () => {
    const server = await startTestServer([modelSpec("echo", "echo.pt")], {
      maxRequestSize: 1 << 25,
      writeTimeoutMs: 300,
    });
    const client = await RawClient.connect(server.port);
    const huge = `[${"1234567890123456,".repeat(900_000)}7]`;
    client.send(post("/predictions/echo", huge));
    await client.until(() => client.received.length > 0, 10_000);
    client.socket.pause();
    await pause(1500);
    client.socket.resume();
    await client.until(() => client.closed);
    expect(client.received.length).toBeLessThan(huge.length);
    const text = await (await fetch(`${server.metrics}/metrics`)).text();
    expect(text).toContain("sconce_http_writes_cut_total 1");
    await server.server.drain();
  });
});

describe("connection caps", () => {
  test("close what is over the total or over one address's share", async () => {
    for (const limits of [{ maxConnections: 3 }, { maxConnectionsPerAddress: 3 }]) {
      const server = await startTestServer([modelSpec("echo", "echo.pt")], limits);
      const clients = [];
      for (let each = 0; each < 3; each++) clients.push(await RawClient.connect(server.port));
      for (const client of clients) client.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      const extra = await RawClient.connect(server.port);
      await extra.until(() => extra.closed);
      clients[0]?.socket.destroy();
      await pause(200);
      const again = await RawClient.connect(server.port);
      again.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
      expect((await again.answer()).status).toBe(200);
      for (const client of [...clients, again]) client.socket.destroy();
      await server.server.drain();
    }
  });
});
