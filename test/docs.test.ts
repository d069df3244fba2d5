/**
 * README.md is run as written, on a real server with ports of its own. Blocks marked `sh test` run line by line; a line
 * `#> text` says what the command before it prints, `…` standing for anything. `sh test serve` starts a server and leaves
 * it to the blocks that follow; `python test` runs where Python has torch; `yaml test=NAME` is written to that file.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const run = promisify(execFile);

interface Block {
  readonly kind: string;
  readonly words: readonly string[];
  readonly body: string;
}

function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^```(\w+) (test\S*(?: \S+)*)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, kind = "", words = "", body = ""]) => ({ kind, words: words.split(" "), body }));
}

/** Commands of a block with the output that the page shows for each. */
function commandsOf(body: string): { command: string; shown: string | undefined }[] {
  const found: { command: string; shown: string | undefined }[] = [];
  for (const line of body.split("\n").filter((each) => each !== "")) {
    const last = found.at(-1);
    if (line.startsWith("#> ") && last) last.shown = line.slice(3);
    else found.push({ command: line, shown: undefined });
  }
  return found;
}

function matches(shown: string): RegExp {
  const escaped = shown.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ /g, "\\s*");
  return new RegExp(escaped.replaceAll("…", "[\\s\\S]*?"));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

class Session {
  readonly folder = mkdtempSync(join(tmpdir(), "sconce-docs-"));
  private server: ChildProcess | undefined;
  private ports = ["0", "0", "0"];
  private log = "";

  constructor() {
    cpSync(join(root, "examples/digits"), join(this.folder, "examples/digits"), { recursive: true });
  }

  async serve(command: string): Promise<void> {
    await this.stop();
    this.ports = [String(await freePort()), String(await freePort()), String(await freePort())];
    const [port = "", management = "", metrics = ""] = this.ports;
    const args = command
      .replace(/^npx sconce /, "")
      .trim()
      .split(/\s+/);
    args.push("--port", port, "--management-port", management, "--metrics-port", metrics);
    this.log = "";
    this.server = spawn(process.execPath, [join(root, "dist/main.js"), ...args], { cwd: this.folder });
    this.server.stdout?.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    this.server.stderr?.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    for (let tries = 0; tries < 400; tries++) {
      if (this.server.exitCode !== null) break;
      const ping = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined);
      if (ping?.status === 200) return;
      await sleep(50);
    }
    throw new Error(`"${command}" did not become ready:\n${this.log}`);
  }

  /** What the command prints; ports are the running server's. */
  async output(command: string): Promise<string> {
    const own = command.replace(
      /localhost:808([012])/g,
      (_, index: string) => `127.0.0.1:${this.ports[Number(index)] ?? ""}`,
    );
    const { stdout } = await run("bash", ["-o", "pipefail", "-c", own.replace(/\bcurl /g, "curl -sS ")], {
      cwd: this.folder,
    });
    return stdout;
  }

  async stop(): Promise<void> {
    const server = this.server;
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    await ended;
  }
}

function torchPython(): string | undefined {
  const named = process.env["SCONCE_PYTHON"];
  return named === "" ? undefined : named;
}

const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));

describe("README.md, run as written", () => {
  const session = new Session();
  const python = torchPython();
  beforeAll(() => session.serve("npx sconce serve examples/digits/digits.mar"));
  afterAll(async () => {
    await session.stop();
    rmSync(session.folder, { recursive: true, force: true });
  });

  test("has blocks to run", () => {
    expect(blocks.length).toBeGreaterThan(5);
  });

  // What follows the Python block needs the file that it writes.
  const needsPython = blocks.findIndex((block) => block.kind === "python");
  blocks.forEach((block, index) => {
    const words = block.words.join(" ");
    test.skipIf(!python && index >= needsPython)(`${block.kind} ${words} (block ${index + 1})`, async () => {
      const file = /^test=(.+)$/.exec(words)?.[1];
      if (file) {
        writeFileSync(join(session.folder, file), block.body);
      } else if (block.kind === "python") {
        await run(python ?? "", ["-c", block.body], { cwd: session.folder });
      } else if (block.words.includes("serve")) {
        await session.serve(block.body.trim());
      } else {
        for (const { command, shown } of commandsOf(block.body)) {
          const printed = await session.output(command);
          if (shown !== undefined) expect(printed, command).toMatch(matches(shown));
        }
      }
    });
  });
});
