/**
 * A real server process for the end-to-end tests: starts `node dist/main.js serve …` on free loopback ports, waits for
 * its ready line, and can say how it ended. `SCONCE_TEST_NODE` names another node binary to run it with.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { call, jsonOf, type Answer } from "./client.js";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
export const entry = `${repository}dist/main.js`;
export const models = `${repository}test/e2e/models/`;
export const nodeBinary = process.env["SCONCE_TEST_NODE"] ?? process.execPath;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Milliseconds until the ready line must be there. */
  readonly readyWithinMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell prefix such as `ulimit -n 64`, run before the server in the same shell. */
  readonly shellBefore?: string;
  /** Another copy's dist/main.js. */
  readonly entry?: string;
  /** Pass no ports: the arguments have them. */
  readonly ownPorts?: boolean;
}

/** A server process that was started, ready or not. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: StartOptions = {}) {
    const main = options.entry ?? entry;
    if (!existsSync(main)) throw new Error(`${main} is missing: npm run setup builds it`);
    const free = ["--port", "0", "--management-port", "0", "--metrics-port", "0"];
    const grpcFlags = ["--grpc-inference-port", "--grpc-management-port"];
    const grpc = grpcFlags.filter((flag) => !args.includes(flag)).flatMap((flag) => [flag, "off"]);
    const ports = options.ownPorts ? [] : [...free, ...grpc];
    const argv = [main, "serve", ...args, ...ports];
    const env = { ...process.env, NO_COLOR: "1", ...options.env };
    this.child =
      options.shellBefore === undefined
        ? spawn(nodeBinary, argv, { env, stdio: ["ignore", "pipe", "pipe"] })
        : spawn("bash", ["-c", `${options.shellBefore}; exec "$0" "$@"`, nodeBinary, ...argv], {
            env,
            stdio: ["ignore", "pipe", "pipe"],
          });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.exited = new Promise((resolve) => this.child.once("close", (code, signal) => resolve({ code, signal })));
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get output(): string {
    return `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
  }

  /** Waits for text on standard output; throws when the process ends first. */
  async printed(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    let ended: Exit | undefined;
    void this.exited.then((exit) => (ended = exit));
    return eventually(withinMs, `${String(pattern)} on standard output`, () => {
      const found = pattern.exec(this.stdout);
      if (found === null && ended !== undefined)
        throw new Error(`server ended (${ended.code ?? ended.signal}): ${this.output}`);
      return found ?? undefined;
    });
  }

  /** Sends a signal and waits for the end. Kills and throws when it does not come. */
  async stop(signal: NodeJS.Signals = "SIGTERM", withinMs = 40_000): Promise<Exit> {
    this.child.kill(signal);
    return this.ended(withinMs);
  }

  async ended(withinMs: number): Promise<Exit> {
    const timeout = Symbol("timeout");
    const outcome = await Promise.race([this.exited, sleep(withinMs).then(() => timeout)]);
    if (outcome !== timeout) return outcome as Exit;
    this.child.kill("SIGKILL");
    throw new Error(`the server did not end within ${withinMs} ms\n${this.output}`);
  }
}

/** A server that printed its ready line. */
export class Server {
  readonly process: ServerProcess;
  readonly port: number;
  readonly managementPort: number;
  readonly metricsPort: number;
  /** NaN when no such port was asked for. */
  readonly grpcPort: number;
  readonly grpcManagementPort: number;

  constructor(started: ServerProcess, readyLine: string) {
    const port = (name: string): number => Number(new RegExp(`${name} \\S+:(\\d+)`).exec(readyLine)?.[1]);
    this.process = started;
    this.port = port("inference");
    this.managementPort = port("management");
    this.metricsPort = port("metrics");
    this.grpcPort = port("grpc-inference");
    this.grpcManagementPort = port("grpc-management");
  }

  static async start(args: readonly string[], options: StartOptions = {}): Promise<Server> {
    const started = new ServerProcess(args, options);
    const line = await started.printed(/^sconce ready:.*$/m, options.readyWithinMs ?? 60_000);
    return new Server(started, line[0]);
  }

  stop(signal?: NodeJS.Signals): Promise<Exit> {
    return this.process.stop(signal);
  }

  /** Resident memory of the process in KiB. */
  rssKib(): number {
    return rssKib(this.process.pid);
  }

  /** Value of a metric whose name and labels match; 0 when absent. Several matches are added up. */
  async metric(pattern: RegExp): Promise<number> {
    const text = (await call(this.metricsPort, { path: "/metrics" })).body.toString("utf8");
    const lines = text.split("\n").filter((line) => !line.startsWith("#") && pattern.test(line));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Predictions that are queued or running. */
  inFlight(): Promise<number> {
    return this.metric(/^sconce_in_flight[ {]/);
  }

  /** Waits until no prediction is queued or running and no HTTP request is open. */
  idle(withinMs = 20_000): Promise<true> {
    return eventually(withinMs, "no request in flight", async () =>
      (await this.metric(/^sconce_(http_)?in_flight[ {]/)) === 0 ? (true as const) : undefined,
    );
  }
}

export function rssKib(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `probe` answers something else than undefined. */
export async function eventually<T>(
  withinMs: number,
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
    await sleep(20);
  }
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface ErrorBody {
  readonly code: number;
  readonly type: string;
  readonly message: string;
}

/** The error body of an answer; throws unless it is exactly {code, type, message} and agrees with the status. */
export function errorOf(answer: Answer): ErrorBody {
  const body = jsonOf(answer) as ErrorBody;
  const keys = Object.keys(body).sort().join();
  if (keys !== "code,message,type") throw new Error(`not an error body: ${answer.body.toString("utf8")}`);
  if (body.code !== answer.status) throw new Error(`code ${body.code} in a ${answer.status}`);
  if (answer.headers.get("content-type")?.startsWith("application/json") !== true)
    throw new Error(`an error of type ${answer.headers.get("content-type") ?? "none"}`);
  return body;
}
