/** The access log and request ids of a whole server. */

import { afterEach, expect, test } from "vitest";
import { modelSpec, RawClient, startTestServer, type TestServer } from "./support.js";

let running: TestServer | undefined;
afterEach(async () => {
  await running?.server.drain();
  running = undefined;
});

interface Line {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly address?: string;
  readonly requestId?: string;
}

async function linesOf(accessLog: "all" | "errors", requests: (server: TestServer) => Promise<void>): Promise<Line[]> {
  let written = "";
  const writeAccess = (lines: string): void => void (written += lines);
  running = await startTestServer(
    [modelSpec("echo", "echo"), modelSpec("slow", "slow")],
    { accessLog, logFormat: "json" },
    50,
    {
      writeAccess,
    },
  );
  await requests(running);
  await running.server.drain();
  running = undefined;
  return written
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

const secret = "0.123456789";

async function some({ base, management, metrics }: TestServer): Promise<void> {
  const headers = { "x-request-id": "id-7" };
  await fetch(`${base}/predictions/echo?token=${secret}`, { method: "POST", body: `[${secret}]`, headers });
  await fetch(`${base}/predictions/nobody`, { method: "POST", body: `[${secret}]` });
  await fetch(`${management}/models`);
  await fetch(`${metrics}/metrics`);
}

test("every answer of every port has a line, without its query and its body", async () => {
  const lines = await linesOf("all", some);
  expect(JSON.stringify(lines)).not.toContain(secret);
  const short = lines.map(({ method, path, status }) => `${method} ${path} ${status}`).sort();
  expect(short).toEqual([
    "GET /metrics 200",
    "GET /models 200",
    "POST /predictions/echo 200",
    "POST /predictions/nobody 404",
  ]);
  const echo = lines.find((line) => line.path === "/predictions/echo");
  expect(echo).toMatchObject({ bytesIn: 13, address: "127.0.0.1", requestId: "id-7" });
  expect(echo?.bytesOut).toBeGreaterThan(0);
});

test("errors alone; a client that goes away is 499", async () => {
  const lines = await linesOf("errors", async (server) => {
    await some(server);
    const client = await RawClient.connect(server.port);
    client.send("POST /predictions/slow HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n[1]");
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  expect(lines.map((line) => line.status)).toEqual([404, 499]);
});

test("a request without an id gets one of its own where that is asked; one with an id keeps it", async () => {
  running = await startTestServer([modelSpec("echo", "echo")], { requestIds: "always" });
  const id = async (headers: Record<string, string>): Promise<string | null> =>
    (await fetch(`${running?.base}/ping`, { headers })).headers.get("x-request-id");
  const [one, two] = [await id({}), await id({ "x-request-id": "x".repeat(200) })];
  for (const each of [one, two])
    expect(each).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(one).not.toBe(two);
  expect(await id({ "x-request-id": "mine" })).toBe("mine");
});
