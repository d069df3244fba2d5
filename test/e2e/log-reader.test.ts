/** Whoever reads the log is gone, or sleeps: the server does not wait for it, does not grow, and does not end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { maxPendingBytes } from "../../src/telemetry/log-file.js";
import { call } from "./client.js";
import { entry, eventually, models, nodeBinary, rssKib } from "./server.js";

const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill("SIGKILL")));

function start() {
  const ports = ["--port", "0", "--management-port", "0", "--metrics-port", "0", "--http-threads", "1"];
  const words = [entry, "serve", `${models}ledger.pt`, ...ports, "--access-log", "all"];
  const child = spawn(nodeBinary, words, { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let out = "";
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  const ready = eventually(60_000, "the ready line", () => {
    const found = /inference \S+:(\d+) management \S+:(\d+)/.exec(out);
    return found === null ? undefined : ([Number(found[1]), Number(found[2])] as const);
  });
  return { child, ready };
}

const status = async (port: number, path: string): Promise<number> => (await call(port, { path })).status;

test("gone", { timeout: 90_000 }, async () => {
  const { child, ready } = start();
  child.stderr.once("data", () => child.stderr.destroy());
  const [inference, management] = await ready;
  for (let i = 0; i < 20; i++) {
    expect(await status(inference, "/nothing")).toBe(404);
    // The access log's lines are handed on after a tenth of a second.
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(await status(management, "/models")).toBe(200);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("asleep, then awake", { timeout: 120_000 }, async () => {
  const { child, ready } = start();
  child.stderr.pause();
  const [inference, management] = await ready;
  const before = rssKib(child.pid ?? 0);
  const lines = 3 * Math.ceil(maxPendingBytes / 1000);
  await pipelined(inference, "x".repeat(900), lines);
  // Answered by the main thread, which writes the log.
  expect(await status(management, "/models")).toBe(200);
  expect(rssKib(child.pid ?? 0) - before).toBeLessThan((3 * lines * 1000) / 1024);

  let said = "";
  child.stderr.on("data", (text: Buffer) => (said += text.toString())).resume();
  await eventually(30_000, "what was dropped", async () => {
    await status(inference, "/nothing");
    return said.includes(" lines were dropped: their reader was too slow\n") ? true : undefined;
  });
  const dropped = Number(/^(\d+) lines were dropped/m.exec(said)?.[1]);
  const kept = said.split("\n").filter((line) => line.includes("xxx")).length;
  expect(kept + dropped).toBe(lines);
  expect(kept * 1000).toBeGreaterThan(maxPendingBytes / 2);
});

/** Sends `count` requests for a path on one connection, and waits for all the answers. */
async function pipelined(port: number, path: string, count: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  let answers = 0;
  socket.on("data", (bytes: Buffer) => (answers += bytes.toString("latin1").split("HTTP/1.1 404").length - 1));
  const request = `GET /${path} HTTP/1.1\r\nhost: a\r\n\r\n`;
  const batch = 50;
  for (let sent = 0; sent < count; sent += batch) {
    socket.write(request.repeat(Math.min(batch, count - sent)));
    const wanted = Math.min(sent + batch, count);
    while (answers < wanted) await once(socket, "data");
  }
  socket.destroy();
}
