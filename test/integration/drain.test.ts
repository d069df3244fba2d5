import { describe, expect, test } from "vitest";
import { modelSpec, pause, post, RawClient, startTestServer } from "./support.js";

const models = [modelSpec("echo", "echo.pt"), modelSpec("slow", "slow.pt")];
const getPing = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";

describe("drain", () => {
  test("says so at once, serves on with Connection: close, then refuses connections", async () => {
    const it = await startTestServer(models, { drainDelayMs: 400 });
    const idle = await RawClient.connect(it.port);
    const drained = it.server.drain();
    expect(it.server.drain()).toBe(drained);
    const ping = await fetch(`${it.base}/ping`);
    expect([ping.status, await ping.json()]).toEqual([503, { status: "Draining" }]);
    expect((await fetch(`${it.base}/v2/health/live`)).status).toBe(200);
    const answer = await fetch(`${it.base}/predictions/echo`, { method: "POST", body: "[1]" });
    expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
    await pause(500);
    await expect(fetch(`${it.base}/ping`)).rejects.toThrow();
    await idle.until(() => idle.closed);
    expect(await drained).toBe(0);
  });

  test("answers what was read, a large answer to its end", async () => {
    const it = await startTestServer(
      models,
      { maxRequestSize: 1 << 25, writeTimeoutMs: 5000, drainTimeoutMs: 5000 },
      300,
    );
    const slow = await RawClient.connect(it.port);
    slow.send(post("/predictions/slow", "[5]"));
    const reader = await RawClient.connect(it.port);
    const body = `[${"1234567890123456,".repeat(900_000)}7]`;
    reader.send(post("/predictions/echo", body));
    await reader.until(() => reader.received.length > 0, 10_000);
    reader.socket.pause();
    const drained = it.server.drain();
    await pause(300);
    reader.socket.resume();
    expect(await slow.answer()).toMatchObject({ status: 200, body: "[5]" });
    expect((await reader.answer()).body.length).toBe(body.length);
    expect(await drained).toBe(0);
  });

  test("closes idle connections, and ends soon when nothing is left", async () => {
    const it = await startTestServer(models);
    const idle = await RawClient.connect(it.port);
    idle.send(getPing);
    await idle.answer();
    const start = performance.now();
    expect(await it.server.drain()).toBe(0);
    expect(performance.now() - start).toBeLessThan(1500);
    await idle.until(() => idle.closed);
  });

  test("exit code 1 when the time runs out, and the client is told", async () => {
    const it = await startTestServer(models, { drainTimeoutMs: 200 }, 1500);
    const client = await RawClient.connect(it.port);
    client.send(post("/predictions/slow", "[5]"));
    await pause(50);
    expect(await it.server.drain()).toBe(1);
    expect(await client.answer()).toMatchObject({ status: 503 });
  });

  test("a port that is taken stops the start and leaves nothing open", async () => {
    const it = await startTestServer(models);
    await expect(startTestServer(models, { managementPort: it.port })).rejects.toThrow(`127.0.0.1:${it.port}`);
    await it.server.drain();
  });
});
