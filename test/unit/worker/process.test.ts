/** A worker that speaks TorchServe's protocol without torch: test/fixtures/python-worker. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { WorkerFrame } from "../../../src/worker/frames.js";
import { GroupGuard } from "../../../src/worker/guard.js";
import { WorkerProcess, type WorkerSettings } from "../../../src/worker/process.js";
import { plainEnvironment, type WorkerPython } from "../../../src/worker/python.js";

const home = join(import.meta.dirname, "../../fixtures/python-worker");
const executable = execFileSync("python3", ["-c", "import sys; print(sys.executable)"]).toString().trim();
const python: WorkerPython = { executable, version: "3", torch: "", torchserve: "", home };
const load = {
  modelName: "m",
  modelPath: home,
  batchSize: 4,
  handler: "h.py",
  gpu: -1,
  envelope: "",
  limitMaxImagePixels: true,
};
const guard = new GroupGuard((error) => {
  throw error;
});

interface Heard {
  readonly lines: string[];
  readonly metrics: string[];
}

function start(changes: Partial<WorkerSettings> = {}): { readonly worker: WorkerProcess; readonly heard: Heard } {
  const folder = mkdtempSync(join(tmpdir(), "sconce-w-"));
  const heard: Heard = { lines: [], metrics: [] };
  const settings: WorkerSettings = {
    python,
    load,
    folder,
    environment: { ...plainEnvironment(process.env), MODEL_KEY: "told" },
    limits: { user: null, network: true, memory: 0, files: 256, processes: 0 },
    guard,
    startupTimeoutMs: 20_000,
    responseTimeoutMs: 20_000,
    maxFrameBytes: 1 << 20,
    ...changes,
  };
  const worker = new WorkerProcess(settings, {
    line: (stream, text) => heard.lines.push(`${stream} ${text}`),
    metric: (text) => heard.metrics.push(text),
    dropped: () => undefined,
  });
  onTestFinished(async () => {
    worker.end("the test is over");
    await worker.ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { worker, heard };
}

const request = (body: string, id = "r1") => ({
  id,
  headers: [["x-a", "1"] as const],
  parameters: [{ name: "body", contentType: "", value: Buffer.from(body) }],
});

/** Every frame of the answer. */
function ask(worker: WorkerProcess, ...bodies: readonly string[]): Promise<readonly WorkerFrame[]> {
  const batch = bodies.map((body, index) => request(body, `r${index + 1}`));
  const frames: WorkerFrame[] = [];
  return new Promise((resolve) =>
    worker.predict(batch, (frame) => {
      frames.push(frame);
      const more = frame.answers[0]?.headers.some(([name, value]) => name === "ts_stream_next" && value === "true");
      if (more !== true) resolve(frames);
      return more === true;
    }),
  );
}

async function bodyOf(worker: WorkerProcess, body: string): Promise<string> {
  const [frame] = await ask(worker, body);
  return Buffer.from(frame?.answers[0]?.body ?? []).toString();
}

const lives = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+[ZX]/m.test(statusOf(pid));
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "State: X";
  }
}

async function gone(pid: number): Promise<void> {
  while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("one worker", () => {
  let shared: ReturnType<typeof start>;
  const folder = mkdtempSync(join(tmpdir(), "sconce-w-"));
  beforeAll(async () => {
    const heard: Heard = { lines: [], metrics: [] };
    const worker = new WorkerProcess(
      {
        ...{ python, load, folder, guard, startupTimeoutMs: 20_000, responseTimeoutMs: 20_000, maxFrameBytes: 1 << 20 },
        environment: { ...plainEnvironment(process.env), MODEL_KEY: "told" },
        limits: { user: null, network: true, memory: 512 << 20, files: 64, processes: 0 },
      },
      {
        line: (stream, text) => heard.lines.push(`${stream} ${text}`),
        metric: (text) => heard.metrics.push(text),
        dropped: () => undefined,
      },
    );
    shared = { worker, heard };
    await worker.ready;
  });
  afterAll(async () => {
    shared.worker.stop();
    expect(await shared.worker.ended).toMatchObject({ killed: false, loadCode: 200 });
    rmSync(folder, { recursive: true, force: true });
  });

  test("is told its model and gets requests as they are", async () => {
    const told = JSON.parse(await bodyOf(shared.worker, "told")) as Record<string, unknown>;
    expect(told).toMatchObject({ modelName: "m", modelPath: home, batchSize: 4, handler: "h.py", gpu: -1, limit: 1 });
    expect(told).toMatchObject({ id: "r1", headers: { "x-a": "1" }, inputs: ["body"] });
  });

  test("answers a batch, sets a status, a type and headers", async () => {
    const [frame] = await ask(shared.worker, "echo one", "teapot");
    expect(frame?.answers.map(({ id, status }) => [id, status])).toEqual([
      ["r1", 200],
      ["r2", 418],
    ]);
    expect(frame?.answers[1]).toMatchObject({
      contentType: "text/tea",
      phrase: "I'm a teapot",
      headers: [["x-cup", "1"]],
    });
  });

  test("streams", async () => {
    const frames = await ask(shared.worker, "stream");
    const text = frames.map((frame) => Buffer.from(frame.answers[0]?.body ?? []).toString()).join("");
    expect(text).toBe("0 1 2 end");
  });

  test("sees a clean environment, its own folder as home, and no files of the server", async () => {
    const found = JSON.parse(await bodyOf(shared.worker, "process")) as {
      readonly pid: number;
      readonly cwd: string;
      readonly files: number;
      readonly env: Readonly<Record<string, string>>;
    };
    const names = Object.keys(found.env)
      .filter((name) => name !== "LC_CTYPE")
      .sort();
    expect(names).toEqual(["HOME", "LANG", "MODEL_KEY", "PATH", "PYTHONUNBUFFERED", "TMPDIR"]);
    expect([found.env["HOME"], found.env["TMPDIR"], found.cwd, found.pid]).toEqual([
      folder,
      folder,
      home,
      shared.worker.pid,
    ]);
    // Its three streams, the listening socket, the connection, and the folder that is being read.
    expect(found.files).toBeLessThanOrEqual(6);
  });

  test("has no new privileges and its limits", async () => {
    expect(await bodyOf(shared.worker, "status")).toMatch(/^NoNewPrivs:\s+1$/m);
    const limits = readFileSync(`/proc/${shared.worker.pid ?? 0}/limits`, "utf8");
    expect(limits).toMatch(/^Max open files\s+64\s+64/m);
    expect(limits).toMatch(/^Max core file size\s+0\s+0/m);
    expect(limits).toMatch(/^Max data size\s+536870912\s+536870912/m);
  });

  test("what it prints is heard", async () => {
    await ask(shared.worker, "say hello there", "say token=abc", "say [METRICS]A.ms:1|#|#type:GAUGE");
    await expect.poll(() => shared.heard.metrics, { timeout: 20_000 }).toEqual(["A.ms:1|#|#type:GAUGE"]);
    expect(shared.heard.lines).toContain("stdout hello there");
    expect(shared.heard.lines).toContain("stdout token=(redacted)");
  });
});

describe("a worker that does not load", () => {
  test.each([
    ["missing.py", "invalid_model", "ended with exit code 1: ModuleNotFoundError: No module named 'missing'"],
    ["big.py", "out_of_memory", "System out of memory (507)"],
  ])("%s", async (handler, code, words) => {
    const { worker } = start({ load: { ...load, handler } });
    const message = expect.stringContaining(words) as unknown;
    await expect(worker.ready).rejects.toMatchObject({ code, message });
  });

  test("too slow", async () => {
    const { worker } = start({ load: { ...load, handler: "slow.py" }, startupTimeoutMs: 700 });
    await expect(worker.ready).rejects.toThrow(
      /did not load its model within 0.7 s \(startupTimeout, --probe-timeout\)/,
    );
    expect(lives(worker.pid ?? 0)).toBe(false);
  });

  test("a Python that is not there, and a user that cannot be", async () => {
    const nowhere = start({ python: { ...python, executable: "/nowhere/python" } });
    await expect(nowhere.worker.ready).rejects.toThrow(/did not start: .*ENOENT/);
    if (process.getuid?.() === 0) return;
    const other = start({ limits: { user: { uid: 1, gid: 1 }, network: true, memory: 0, files: 64, processes: 0 } });
    await expect(other.worker.ready).rejects.toThrow(/exit code 78: .*cannot run as user 1, group 1/);
  });

  test("a folder whose path is too long for a socket", () => {
    const folder = join(tmpdir(), "x".repeat(120));
    expect(() => start({ folder })).toThrow(/socket's path has at most 107: set TMPDIR to a shorter folder/);
  });
});

describe("a worker that ends while it works", () => {
  test.each([
    ["exit 3", false, /^ended with exit code 3: ValueError: told to end$/],
    ["kill", true, /^was ended by SIGKILL/],
    ["garbage", false, /^sent what is not TorchServe's protocol: a message of \d+ bytes/],
  ])("%s", async (body, killed, reason) => {
    const { worker } = start();
    await worker.ready;
    void ask(worker, body);
    const end = await worker.ended;
    expect(end.reason).toMatch(reason);
    expect(end.killed).toBe(killed);
  });

  test("over its time", async () => {
    const { worker } = start({ responseTimeoutMs: 300 });
    await worker.ready;
    void ask(worker, "hang");
    expect(await worker.ended).toMatchObject({
      reason: "did not answer within 0.3 s (--response-timeout or the model's responseTimeout)",
      killed: false,
    });
  });

  test("an answer over the limit", async () => {
    const { worker } = start({ maxFrameBytes: 1000 });
    await worker.ready;
    void ask(worker, `echo ${"x".repeat(2000)}`);
    expect((await worker.ended).reason).toMatch(/an answer of more than 1000 bytes/);
  });

  test("its children go with it", async () => {
    const { worker } = start();
    await worker.ready;
    const child = Number(await bodyOf(worker, "child"));
    expect(lives(child)).toBe(true);
    worker.stop();
    await worker.ended;
    await gone(child);
  });
});

describe("escapes", () => {
  test("memory over the limit fails in the worker alone", async () => {
    const { worker } = start({ limits: { user: null, network: true, memory: 256 << 20, files: 64, processes: 0 } });
    await worker.ready;
    void ask(worker, `allocate ${1 << 30}`);
    expect((await worker.ended).reason).toMatch(/MemoryError/);
  });

  test("no more files than its limit, and no way to more", async () => {
    const { worker } = start();
    await worker.ready;
    const opened = Number(await bodyOf(worker, "open 400"));
    expect([opened > 200, opened < 256]).toEqual([true, true]);
  });

  test("a program that would give it privileges gives none", async () => {
    const { worker } = start();
    await worker.ready;
    expect(await bodyOf(worker, "status")).toMatch(/^NoNewPrivs:\s+1$/m);
    // It cannot take that back, and so cannot what it starts.
    expect(await bodyOf(worker, "privileges")).toMatch(/^1 1$/);
  });

  test("without a network nothing of the machine can be reached", async (context) => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const open = start();
    await open.worker.ready;
    expect(await bodyOf(open.worker, `connect ${port}`)).toBe("reached");
    const { worker } = start({ limits: { user: null, network: false, memory: 0, files: 64, processes: 0 } });
    const refused = await worker.ready.then(
      () => "",
      (error: unknown) => String(error),
    );
    // Where the kernel gives nobody a network of its own, the worker must not start at all.
    if (refused !== "") {
      expect(refused).toMatch(/exit code 78: .*no network of its own can be made for the worker/);
      context.skip("this kernel makes no network namespaces");
    }
    expect(await bodyOf(worker, `connect ${port}`)).toMatch(/unreachable|refused/);
  });
});

/** Any user but root and the server's; 65534 is nobody's on most systems. */
const nobody = { uid: 65_534, gid: 65_534 };
/** A Python that everybody may run, with a copy of the worker that everybody may read. */
const open = "/usr/bin/python3";
const root = process.getuid?.() === 0 && existsSync(open);

describe.skipIf(!root)(
  `escapes of a worker with a user of its own${root ? "" : " (skipped: the tests are not root)"}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "sconce-w-"));
    const program = mkdtempSync(join(tmpdir(), "sconce-p-"));
    const secret = mkdtempSync(join(tmpdir(), "sconce-s-"));
    const lines: string[] = [];
    let worker: WorkerProcess;
    beforeAll(async () => {
      cpSync(home, program, { recursive: true });
      chmodSync(program, 0o755);
      chownSync(folder, nobody.uid, nobody.gid);
      writeFileSync(join(secret, "key"), "hidden", { mode: 0o600 });
      worker = new WorkerProcess(
        {
          ...{ folder, guard, startupTimeoutMs: 20_000, responseTimeoutMs: 20_000, maxFrameBytes: 1 << 20 },
          python: { ...python, executable: open, home: program },
          load: { ...load, modelPath: program },
          environment: plainEnvironment(process.env),
          limits: { user: nobody, network: true, memory: 0, files: 256, processes: 40 },
        },
        { line: (_stream, text) => lines.push(text), metric: () => undefined, dropped: () => undefined },
      );
      await worker.ready.catch((error: unknown) => {
        throw new Error(`${String(error)}\n${lines.join("\n")}`);
      });
    }, 30_000);
    afterAll(async () => {
      worker.end("the test is over");
      await worker.ended;
      for (const each of [folder, program, secret]) rmSync(each, { recursive: true, force: true });
    });

    test("it is that user, with none of root's groups or capabilities", async () => {
      const status = await bodyOf(worker, "status");
      expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
      expect(status).toMatch(/^Groups:\s*$/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapPrm:\s+0+$/m);
    });

    test("it cannot become root again", async () => {
      expect(await bodyOf(worker, "become 0")).toMatch(/not permitted/i);
    });

    test("it can neither signal the server, nor trace it, nor read its environment", async () => {
      expect(await bodyOf(worker, `signal ${process.pid}`)).toMatch(/not permitted/i);
      expect(await bodyOf(worker, `trace ${process.pid}`)).toMatch(/not permitted/i);
      expect(await bodyOf(worker, `read /proc/${process.pid}/environ`)).toMatch(/denied/i);
      expect(await bodyOf(worker, `read /proc/${process.pid}/mem`)).toMatch(/denied/i);
    });

    test("it writes to its own folder alone", async () => {
      expect(await bodyOf(worker, `write ${folder}/own`)).toBe("done");
      for (const path of [`${program}/h.py`, `${home}/h.py`, `${secret}/key`, "/etc/sconce-test"]) {
        expect(await bodyOf(worker, `write ${path}`), path).toMatch(/denied|read-only/i);
      }
      expect(await bodyOf(worker, `read ${secret}/key`)).toMatch(/denied/i);
    });

    test("what starts processes without end comes to an end, and the worker goes on", async () => {
      const started = Number(await bodyOf(worker, "fork 200"));
      expect(started).toBeLessThan(40);
      expect(await bodyOf(worker, "echo still there")).toBe("still there");
    });
  },
);
