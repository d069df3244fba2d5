/** Cases 48, 52, 53: ports, addresses, double starts, file descriptors, parents that die. */
import { createServer, type Server as NetServer } from "node:net";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { call, Connection } from "./client.js";
import { stillServes } from "./hostile.js";
import { ledgerInput } from "./ledger.js";
import { errorOf, eventually, freePorts, models, Server, ServerProcess, sleep } from "./server.js";

const model = `${models}ledger.pt`;
const listeners = ["--port", "--management-port", "--metrics-port"] as const;

function occupy(): Promise<NetServer> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: NetServer): number {
  return (server.address() as { port: number }).port;
}

async function failsToStart(args: readonly string[], words: RegExp): Promise<void> {
  const server = new ServerProcess([model, ...args], { ownPorts: true });
  const exit = await server.ended(50_000);
  expect(exit.code, server.output).toBeGreaterThan(0);
  expect(exit.signal).toBeNull();
  expect(server.stderr).toMatch(words);
  expect(server.stdout).not.toContain("sconce ready");
  expect(server.stderr).not.toMatch(/    at .*\.js:|terminate called/);
}

async function portArgs(): Promise<string[]> {
  const ports = await freePorts(3);
  return listeners.flatMap((flag, i) => [flag, String(ports[i])]);
}

/** "address:port" of every TCP socket that a process listens on, as the kernel has them. */
function listeningOf(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return []; // closed in between
    }
  });
  const loopbacks: Readonly<Record<string, string>> = {
    "0100007F": "127.0.0.1",
    "0000000000000000FFFF00000100007F": "127.0.0.1",
    "00000000000000000000000001000000": "::1",
  };
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = ""]) => state === "0A" && inodes.includes(inode))
      .map(([, local = ""]) => {
        const [address = "", port = ""] = local.split(":");
        return `${loopbacks[address] ?? address}:${parseInt(port, 16)}`;
      }),
  );
}

/** What a client is told of the model from before the port listens until it serves. */
async function toldWhileStarting(port: number): Promise<readonly string[]> {
  const told: string[] = [];
  while (told.at(-1) !== "200") {
    const asked = call(port, { method: "POST", path: "/predictions/ledger", body: JSON.stringify(ledgerInput(1)) });
    const answer = await asked.catch(() => undefined);
    if (answer?.status === 200) told.push("200");
    else if (answer !== undefined) told.push(`${answer.status} ${errorOf(answer).message}`);
    else await sleep(2);
  }
  return told;
}

test("nothing listens but what the ready line says, all of it on loopback; no model is unknown before it serves", async () => {
  const free = await portArgs();
  const args = [model, ...free, "--grpc-inference-port", "0", "--grpc-management-port", "0"];
  const starting = Server.start(args, { ownPorts: true });
  const told = await toldWhileStarting(Number(free[1]));
  expect(told.length).toBeGreaterThan(1);
  for (const each of told.slice(0, -1)) expect(each).toMatch(/^503 Model "ledger" version 1.0 is loading/);
  const server = await starting;
  const { port, managementPort, metricsPort, grpcPort, grpcManagementPort } = server;
  const ports = [port, managementPort, metricsPort, grpcPort, grpcManagementPort];
  expect(listeningOf(server.process.pid).sort()).toEqual(ports.map((each) => `127.0.0.1:${each}`).sort());
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

describe("case 52: ports and addresses", () => {
  test.each(listeners)("%s taken: exit, naming the port", { timeout: 60_000 }, async (flag) => {
    const taken = await occupy();
    const args = await portArgs();
    args[args.indexOf(flag) + 1] = String(portOf(taken));
    await failsToStart(args, new RegExp(`${portOf(taken)}`));
    taken.close();
  });

  test.each([
    [0, 1],
    [0, 2],
    [1, 2],
  ])(
    "listeners %i and %i on the same address: served together or refused by name",
    { timeout: 60_000 },
    async (a, b) => {
      const args = await portArgs();
      const shared = args[a * 2 + 1] ?? "";
      args[b * 2 + 1] = shared;
      const server = new ServerProcess([model, ...args], { ownPorts: true });
      const outcome = await Promise.race([
        server.exited,
        server.printed(/^sconce ready:.*$/m, 50_000).catch(() => undefined),
      ]);
      if (outcome !== undefined && "code" in outcome) {
        expect(outcome.code).toBeGreaterThan(0);
        expect(server.stderr).toContain(shared);
        return;
      }
      expect((await call(Number(shared), { path: [a, b].includes(2) ? "/metrics" : "/models" })).status).toBe(200);
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    },
  );

  test("a port that is none", () => failsToStart(["--port", "70000"], /--port.*70000|70000.*--port/s));
  test("words for a port", () => failsToStart(["--port", "http"], /--port/));
  test("an address of another machine", async () =>
    failsToStart([...(await portArgs()), "--host", "192.0.2.1"], /192\.0\.2\.1/));
  test("an address that is none", async () =>
    failsToStart([...(await portArgs()), "--host", "999.1.2.3"], /999\.1\.2\.3/));

  test("a port under 1024 without the right to it", { timeout: 60_000 }, async () => {
    const first = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
    if (first < 1024 && process.getuid?.() !== 0) return;
    const args = await portArgs();
    args[1] = "81";
    // As root the right is dropped with it: --port 81 for a process without CAP_NET_BIND_SERVICE.
    const drop =
      process.getuid?.() === 0
        ? 'exec setpriv --bounding-set=-net_bind_service --inh-caps=-net_bind_service "$0" "$@"'
        : ":";
    const server = new ServerProcess([model, ...args], { ownPorts: true, shellBefore: first > 81 ? drop : "exit 3" });
    const exit = await server.ended(50_000);
    expect(exit.code).toBeGreaterThan(0);
    if (first > 81) expect(server.stderr).toMatch(/81/);
  });

  test("IPv6 only", { timeout: 60_000 }, async () => {
    const disabled = readFileSync("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "utf8").trim() === "1";
    const hosts = ["--host", "::1", "--management-host", "::1", "--metrics-host", "::1"];
    const server = new ServerProcess([model, ...hosts]);
    if (disabled) {
      expect((await server.ended(50_000)).code).toBeGreaterThan(0);
      expect(server.stderr).toMatch(/::1/);
      return;
    }
    const line = await server.printed(/^sconce ready:.*inference http:\/\/\[::1\]:(\d+).*$/m, 50_000);
    const connection = await Connection.open(Number(line[1]), "::1");
    expect((await connection.ask({ path: "/ping" }))?.status).toBe(200);
    connection.destroy();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  test("management off loopback without authorization needs --insecure", { timeout: 60_000 }, async () =>
    failsToStart([...(await portArgs()), "--management-host", "0.0.0.0"], /--insecure/),
  );
});

describe("case 48: starting and dying", () => {
  test("a second server on the same ports ends; the first goes on", { timeout: 60_000 }, async () => {
    const args = await portArgs();
    const first = await Server.start([model, ...args], { ownPorts: true });
    await failsToStart(args, new RegExp(args[1] ?? ""));
    for (let round = 0; round < 50; round++) await stillServes(first);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
  });

  test.each([0, 50, 150, 300, 600])("SIGINT %i ms after the start, while it loads", { timeout: 60_000 }, async (ms) => {
    const server = new ServerProcess([model]);
    await sleep(ms);
    const exit = await server.stop("SIGINT", 20_000);
    // Before the handler is in place the default action ends the process.
    const clean = exit.signal === "SIGINT" || exit.code === 0 || exit.code === 130;
    expect(clean, `${JSON.stringify(exit)} ${server.output}`).toBe(true);
    expect(server.stderr).not.toMatch(/terminate called|Segmentation|uv_loop_close/);
  });

  test("kill -9 of the --supervise parent ends the server", { timeout: 60_000 }, async () => {
    const server = await Server.start([model, "--supervise"]);
    const children = childrenOf(server.process.pid);
    expect(children.length).toBeGreaterThan(0);
    server.process.child.kill("SIGKILL");
    await eventually(10_000, "the children to end", () => (children.every((pid) => !alive(pid)) ? true : undefined));
    await expect(call(server.port, { path: "/ping" })).rejects.toThrow();
  });

  test(
    "--supervise: a server that dies is started again; SIGTERM to the parent drains",
    { timeout: 90_000 },
    async () => {
      const ports = await portArgs();
      const server = await Server.start([model, "--supervise", ...ports], { ownPorts: true });
      const child = childrenOf(server.process.pid)[0] ?? -1;
      process.kill(child, "SIGKILL");
      await eventually(40_000, "an answer of the new server", async () =>
        childrenOf(server.process.pid)[0] !== child &&
        (await call(server.port, { path: "/ping" }).catch(() => undefined))?.status === 200
          ? true
          : undefined,
      );
      await stillServes(server);
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    },
  );
});

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => parentOf(each) === pid);
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return -1;
  }
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("case 53: file descriptors run out", () => {
  test("near the limit it refuses, counts and says so, keeps serving, and recovers", { timeout: 90_000 }, async () => {
    const server = await Server.start([model], { shellBefore: "ulimit -n 160" });
    const first = await Connection.open(server.port);
    const crowd = await Promise.allSettled(Array.from({ length: 400 }, () => Connection.open(server.port)));
    const answer = await first.ask({ path: "/ping" }, 5000);
    expect(answer?.status).toBe(200);
    // The other ports answer, and say what happens.
    const refused = await server.metric(/^sconce_http_connections_refused_total\{reason="descriptors"\}/);
    expect(refused).toBeGreaterThan(200);
    expect((await call(server.managementPort, { path: "/models" }, 5000)).status).toBe(200);
    await eventually(15_000, "a line", () => server.process.output.includes("ulimit -n") || undefined);
    for (const each of crowd) if (each.status === "fulfilled") each.value.destroy();
    first.destroy();
    await eventually(15_000, "recovery", async () =>
      (await call(server.port, { path: "/ping" }, 2000).catch(() => undefined))?.status === 200 ? true : undefined,
    );
    await stillServes(server);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  test(
    "connections over --max-connections-per-address are closed, the others served",
    { timeout: 60_000 },
    async () => {
      const server = await Server.start([model, "--max-connections-per-address", "20"]);
      const crowd = await Promise.all(Array.from({ length: 40 }, () => Connection.open(server.port)));
      const answers = await Promise.all(
        crowd.map((each) => each.ask({ path: "/ping" }, 10_000).catch(() => undefined)),
      );
      const served = answers.filter((answer) => answer?.status === 200).length;
      expect(served).toBeGreaterThan(0);
      expect(served).toBeLessThanOrEqual(20);
      for (const each of crowd) each.destroy();
      await eventually(10_000, "recovery", async () =>
        (await call(server.port, { path: "/ping" }, 2000).catch(() => undefined))?.status === 200 ? true : undefined,
      );
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    },
  );
});
