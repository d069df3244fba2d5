/**
 * One Python worker: started, told to load its model, sent batches, ended. It listens on a socket in a folder of its own
 * and sees neither the server's environment nor its standard input; it ends with the server however that ends
 * (launcher.ts). Main thread only: the kernel ties a child to the thread that started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { ServerError } from "../errors.js";
import {
  encodeLoad,
  encodePredict,
  FrameReader,
  type LoadCommand,
  type WorkerFrame,
  type WorkerRequest,
} from "./frames.js";
import type { GroupGuard } from "./guard.js";
import { launcherSource, type LaunchSettings } from "./launcher.js";
import { reasonOf, WorkerOutput } from "./output.js";
import { workerFiles, type WorkerPython } from "./python.js";

export interface WorkerSettings {
  readonly python: WorkerPython;
  readonly load: LoadCommand;
  /** The worker's own: its socket, its home and its temporary files. Nobody else's, and gone when it is. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Pick<LaunchSettings, "user" | "network" | "memory" | "files" | "processes">;
  readonly guard: Pick<GroupGuard, "add" | "remove">;
  /** Until the model is loaded, from the start of the process. */
  readonly startupTimeoutMs: number;
  /** Until the next frame of an answer. */
  readonly responseTimeoutMs: number;
  /** Bytes of one frame. */
  readonly maxFrameBytes: number;
}

export interface WorkerEvents {
  readonly line: (stream: "stdout" | "stderr", text: string) => void;
  readonly metric: (text: string) => void;
  readonly dropped: (lines: number) => void;
}

/** How a worker ended. */
export interface WorkerEnd {
  /** In words for an operator. */
  readonly reason: string;
  /** The kernel or an operator killed it, as when memory ran out. */
  readonly killed: boolean;
  /** It was ended for want of an answer within `responseTimeoutMs`. */
  readonly late: boolean;
  /** It answered the LOAD command with this code before; 0: it did not. */
  readonly loadCode: number;
}

/** Bytes of the longest path of a Unix socket, without its end mark. */
const maxSocketPath = 107;
/** What a worker gets to end by itself once its connection is closed. */
const graceMs = 3000;
/** What its last words get to arrive after it has ended. */
const lastWordsMs = 500;
const readyMark = "Torch worker started.";
const ok = 200;

export class WorkerProcess {
  /** The model is loaded. Rejects with ServerError model_error, invalid_model or out_of_memory. */
  readonly ready: Promise<void>;
  /** Resolves once, whatever happened; the process and its children are gone. */
  readonly ended: Promise<WorkerEnd>;
  private readonly settings: WorkerSettings;
  private readonly child: ChildProcess;
  private readonly output: WorkerOutput;
  private readonly reader: FrameReader;
  private socket: Socket | undefined;
  private onFrame: ((frame: WorkerFrame) => boolean) | undefined;
  private loaded!: () => void;
  private timer: NodeJS.Timeout | undefined;
  private fault = "";
  private loadCode = 0;
  private stopping = false;
  private late = false;

  /** Throws ServerError internal when the folder's path is too long for a socket. */
  constructor(settings: WorkerSettings, events: WorkerEvents) {
    this.settings = settings;
    checkSocketPath(this.socketPath());
    const { maxFrameBytes, load, startupTimeoutMs } = settings;
    this.reader = new FrameReader({ maxAnswers: load.batchSize, maxBytes: maxFrameBytes });
    this.output = new WorkerOutput({
      ...events,
      line: (stream, text) => this.said(stream, text, events),
      now: () => performance.now(),
    });
    this.child = this.spawn();
    this.ended = this.watch();
    const loaded = new Promise<void>((resolve) => (this.loaded = resolve));
    this.ready = Promise.race([loaded, this.ended.then((end) => Promise.reject(loadFailure(end)))]);
    // Whoever waits for it hears of it; nobody has to.
    this.ready.catch(() => undefined);
    this.within(
      startupTimeoutMs,
      `did not load its model within ${startupTimeoutMs / 1000} s (startupTimeout, --probe-timeout)`,
    );
  }

  /** Undefined when it did not start. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** One batch at a time. `onFrame` gets every frame of the answer and says whether more are to come. */
  predict(batch: readonly WorkerRequest[], onFrame: (frame: WorkerFrame) => boolean): void {
    this.output.forget();
    this.listen(onFrame);
    this.send(encodePredict(batch));
  }

  /** Closes the connection, on which an idle worker ends; one that does not is killed. */
  stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    clearTimeout(this.timer);
    if (this.socket === undefined) {
      this.kill();
      return;
    }
    this.socket.end();
    this.timer = setTimeout(() => this.kill(), graceMs);
  }

  /** At once, with the processes that it started. */
  end(why: string): void {
    if (this.fault === "") this.fault = why;
    this.kill();
  }

  private spawn(): ChildProcess {
    const { python, load, folder, environment, limits } = this.settings;
    const { program, metrics } = workerFiles(python);
    const command = [python.executable, program, "--sock-type", "unix", "--sock-name", this.socketPath()];
    const settings: LaunchSettings = {
      ...limits,
      command: [...command, "--metrics-config", metrics],
      parent: process.pid,
    };
    const env = { HOME: folder, TMPDIR: folder, PYTHONUNBUFFERED: "1", ...environment };
    // -I and -S are the launcher's alone: the worker that it becomes sees its own PYTHONPATH and site.
    const words = ["-I", "-S", "-c", launcherSource, JSON.stringify(settings)];
    const child = spawn(python.executable, words, {
      cwd: load.modelPath,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (child.pid !== undefined) this.settings.guard.add(child.pid);
    child.stdout.on("data", this.output.stream("stdout"));
    child.stderr.on("data", this.output.stream("stderr"));
    return child;
  }

  /** TorchServe's worker wants a number behind the last dot. */
  private socketPath(): string {
    return join(this.settings.folder, "worker.0");
  }

  private watch(): Promise<WorkerEnd> {
    const { child } = this;
    return new Promise((resolve) => {
      const over = (reason: string, killed: boolean): void => {
        clearTimeout(this.timer);
        this.socket?.destroy();
        this.output.flush();
        resolve({ reason, killed, late: this.late, loadCode: this.loadCode });
      };
      child.once("error", (error) => over(`did not start: ${error.message}`, false));
      child.once("exit", (code, signal) => {
        // What it started must not outlive it; its process group is its own.
        this.kill();
        if (child.pid !== undefined) this.settings.guard.remove(child.pid);
        const words = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        }, lastWordsMs);
        child.once("close", () => {
          clearTimeout(words);
          over(this.endWords(code, signal), signal === "SIGKILL" && this.fault === "" && !this.stopping);
        });
      });
    });
  }

  private endWords(code: number | null, signal: string | null): string {
    if (this.fault !== "") return this.fault;
    const how = signal === null ? `ended with exit code ${code ?? "none"}` : `was ended by ${signal}`;
    const reason = reasonOf(this.output.tail);
    return reason === "" ? how : `${how}: ${reason}`;
  }

  private said(stream: "stdout" | "stderr", text: string, events: WorkerEvents): void {
    if (this.socket === undefined && stream === "stdout" && text.endsWith(readyMark)) this.connect();
    events.line(stream, text);
  }

  private connect(): void {
    const socket = createConnection(this.socketPath());
    this.socket = socket;
    socket.on("data", (chunk) => this.received(chunk));
    socket.on("error", (error) => this.lost(`lost its connection: ${error.message}`));
    socket.on("end", () => this.lost("closed its connection"));
    this.onFrame = (frame) => this.loadAnswered(frame);
    this.send([encodeLoad(this.settings.load)]);
  }

  /** A worker that closed its connection is about to end by itself, with better words than these. */
  private lost(why: string): void {
    if (this.stopping || this.child.exitCode !== null) return;
    this.within(graceMs, why);
  }

  private loadAnswered({ code, message }: WorkerFrame): boolean {
    this.loadCode = code;
    if (code === ok) this.loaded();
    else this.end(`${message} (${code}): ${reasonOf(this.output.tail)}`);
    return false;
  }

  private listen(onFrame: (frame: WorkerFrame) => boolean): void {
    this.onFrame = onFrame;
    const { responseTimeoutMs } = this.settings;
    const why = `did not answer within ${responseTimeoutMs / 1000} s (--response-timeout or the model's responseTimeout)`;
    this.within(responseTimeoutMs, why, () => (this.late = true));
  }

  private send(pieces: readonly Uint8Array[]): void {
    const { socket } = this;
    if (socket === undefined) return;
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const frame of this.reader.push(chunk)) this.framed(frame);
    } catch (error) {
      this.end(`sent what is not TorchServe's protocol: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private framed(frame: WorkerFrame): void {
    const { onFrame } = this;
    if (onFrame === undefined) throw new Error("an answer that nothing was asked for");
    clearTimeout(this.timer);
    this.onFrame = undefined;
    // Who is told of the last frame may ask for the next batch at once.
    if (onFrame(frame)) this.listen(onFrame);
  }

  private within(ms: number, why: string, first?: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      first?.();
      this.end(why);
    }, ms);
  }

  private kill(): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Nothing of the group is left.
    }
  }
}

function loadFailure({ reason, killed, loadCode }: WorkerEnd): ServerError {
  const outOfMemory = killed || loadCode === 507;
  return new ServerError(outOfMemory ? "out_of_memory" : "invalid_model", `The Python worker ${reason}`);
}

function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxSocketPath) return;
  const words = `A Python worker's socket would be ${path}, ${bytes} bytes, and a socket's path has at most ${maxSocketPath}`;
  throw new ServerError("internal", `${words}: set TMPDIR to a shorter folder`);
}
