/**
 * Loads a model file in a process of its own first, so that a file that crashes libtorch costs that process and not the
 * server. The verdict is kept in the cache by content and libtorch version. Main thread; asynchronous.
 *
 * The program (native/probe) takes files as arguments and prints one line {"file", "valid", "reason"?} per file.
 */
import { spawn } from "node:child_process";
import { access, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ServerError } from "../errors.js";
import { invalid } from "./failure.js";

export interface ProbeOptions {
  readonly program: string;
  readonly timeoutMs: number;
  readonly cache: string;
  /** Verdicts hold for one version of libtorch. */
  readonly libtorch: string;
  readonly signal?: AbortSignal;
}

const maxOutputBytes = 1024 * 1024;

/** Whether the probe program was built. */
export async function hasProbe(program: string): Promise<boolean> {
  return access(program).then(
    () => true,
    () => false,
  );
}

/** Resolves when the file loads; `remembered`: a good verdict from before is enough. Rejects with ServerError invalid_model. */
export async function probe(path: string, sha256: string, remembered: boolean, options: ProbeOptions): Promise<void> {
  const verdict = join(options.cache, "verdicts", `${sha256}-${options.libtorch.replace(/[^\w.+-]/g, "_")}`);
  if (remembered && (await readFile(verdict, "utf8").catch(() => "")) === "ok\n") return;
  await tried(path, [], options);
  // Only good verdicts are kept: a bad one may be the machine's fault (memory, time).
  await mkdir(join(options.cache, "verdicts"), { recursive: true, mode: 0o700 }).catch(() => undefined);
  const temporary = `${verdict}.${process.pid}`;
  await writeFile(temporary, "ok\n", { mode: 0o600 })
    .then(() => rename(temporary, verdict))
    .catch(() => undefined);
}

/** A method of a TorchScript file, with types as TorchScript writes them. */
export interface Method {
  readonly name: string;
  readonly arguments: readonly { readonly name: string; readonly type: string; readonly default: boolean }[];
  readonly returns: string;
}

/** Loads the file as `probe` does and resolves to its methods; none for what does not tell. */
export async function describeMethods(path: string, options: ProbeOptions): Promise<readonly Method[]> {
  const line = parseLine(await tried(path, ["--describe"], options));
  return Array.isArray(line?.methods) ? (line.methods as readonly Method[]) : [];
}

/** Resolves to what the probe printed about a file that loads. */
async function tried(path: string, words: readonly string[], options: ProbeOptions): Promise<string> {
  const limits = await limitsFor(path, options.timeoutMs);
  // An abort that came before the child is nothing that would kill it.
  if (options.signal?.aborted === true) throw cancelled();
  const { out, error } = await run(path, [...words, ...limits], options);
  if (error !== undefined) throw invalid(path, error);
  return out;
}

const cancelled = (): ServerError => new ServerError("cancelled", "the load was cancelled");

const MiB = 1024 ** 2;
/** Address space that libtorch takes before it has read anything, with room. */
const baseMemoryMiB = 16_384;

/** The child's own limits: address space for the file four times over, processor time for the whole timeout. */
async function limitsFor(path: string, timeoutMs: number): Promise<readonly string[]> {
  const { size } = await stat(path);
  const memory = baseMemoryMiB + Math.ceil((4 * size) / MiB);
  return ["--memory-mb", String(memory), "--cpu-seconds", String(Math.ceil(timeoutMs / 1000))];
}

interface ProbeRun {
  readonly out: string;
  /** What is wrong with the file. */
  readonly error: string | undefined;
}

function run(path: string, limits: readonly string[], options: ProbeOptions): Promise<ProbeRun> {
  return new Promise((resolve, reject) => {
    // No secrets of the server's environment, one thread, nothing on its standard input.
    const env = {
      PATH: "/usr/bin:/bin",
      LANG: "C.UTF-8",
      TMPDIR: process.env["TMPDIR"] ?? "/tmp",
      OMP_NUM_THREADS: "1",
    };
    const child = spawn(options.program, [...limits, path], { env, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let complaint = "";
    let late = false;
    const kill = (): void => void child.kill("SIGKILL");
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, options.timeoutMs);
    options.signal?.addEventListener("abort", kill, { once: true });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out = `${out}${text}`.slice(0, maxOutputBytes)));
    child.stderr
      .setEncoding("utf8")
      .on("data", (text: string) => (complaint = `${complaint}${text}`.slice(0, maxOutputBytes)));
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    child.once("error", (error) => {
      settle();
      reject(
        new ServerError("internal", `the probe ${options.program} does not start: ${error.message}`, { cause: error }),
      );
    });
    child.once("close", (code, signal) => {
      settle();
      if (options.signal?.aborted === true) reject(cancelled());
      else if (late) resolve({ out, error: `did not load within ${options.timeoutMs / 1000} s (--probe-timeout)` });
      else resolve({ out, error: verdictOf(out, code, signal, complaint) });
    });
  });
}

/** What the child's output and end say. Pure. */
export function verdictOf(
  out: string,
  code: number | null,
  signal: string | null,
  complaint: string,
): string | undefined {
  const said = parseLine(out);
  if (signal !== null) return `libtorch crashed on it (${signal}) when it was tried in a process of its own`;
  if (said?.valid === true && code === 0) return undefined;
  if (said && !said.valid) return said.reason;
  const words = complaint.trim().split("\n").at(-1) ?? "";
  return `could not be tried: the probe ended with code ${code ?? "none"}${words === "" ? "" : ` (${words.slice(0, 500)})`}`;
}

interface ProbeLine {
  readonly valid: boolean;
  readonly reason: string;
  readonly methods: unknown;
}

function parseLine(out: string): ProbeLine | undefined {
  try {
    const parsed: unknown = JSON.parse(out.split("\n").find((line) => line.startsWith("{")) ?? "");
    const { valid, reason, methods } = parsed as { valid?: unknown; reason?: unknown; methods?: unknown };
    if (typeof valid !== "boolean") return undefined;
    return { valid, reason: typeof reason === "string" ? reason : "does not load", methods };
  } catch {
    return undefined;
  }
}
