// The processes of a measurement: servers under test, the load generator, and what they cost.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const ticksPerSecond = 100; // sysconf(_SC_CLK_TCK), fixed on Linux for user space

/** CPU seconds (user and system) that a process with all its threads has used. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident and proportional memory in MB. */
export function memoryMb(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { rssMb: Math.round(kib("Rss") / 1024), pssMb: Math.round(kib("Pss") / 1024) };
}

/** Starts a server and waits until a line of its standard output matches; answers the match beside the process. */
export async function startServer(command, args, ready, env = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout });
  const match = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const found = ready.exec(line);
      if (found) resolve(found);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${args[0]} ended with ${code} before it was ready`)));
  });
  child.removeAllListeners("exit");
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    pid: child.pid,
    match,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** Runs wrk once. Rates per second, latencies in µs, CPU µs per request of the server and of wrk itself. */
export async function runWrk({ pid, port, path, contentType, bodies, concurrency, seconds }) {
  const script = new URL("post.lua", import.meta.url).pathname;
  const wrk = ["wrk", "-t1", `-c${concurrency}`, `-d${seconds}s`, "--timeout", "60s", "-s", script];
  const target = [`http://127.0.0.1:${port}`, "--", bodies, path, contentType];
  const before = cpuSeconds(pid);
  const began = process.hrtime.bigint();
  // `times` prints the shell's own CPU and then that of its children: wrk's.
  const text = await output("bash", ["-c", '"$@" && times', "bash", ...wrk, ...target]);
  const wallSeconds = Number(process.hrtime.bigint() - began) / 1e9;
  const serverCpu = cpuSeconds(pid) - before;
  const figures = JSON.parse(/^figures (.*)$/m.exec(text)[1]);
  const generatorCpu = childCpu(text);
  if (figures.errors + figures.non2xx > 0) throw new Error(`wrk saw errors: ${JSON.stringify(figures)}`);
  return {
    rate: figures.requests / (figures.durationUs / 1e6),
    p50Us: figures.p50Us,
    p90Us: figures.p90Us,
    p99Us: figures.p99Us,
    maxUs: figures.maxUs,
    requests: figures.requests,
    serverCpuUs: (serverCpu * 1e6) / figures.requests,
    serverCores: serverCpu / wallSeconds,
    generatorCpuUs: (generatorCpu * 1e6) / figures.requests,
    generatorCores: generatorCpu / wallSeconds,
  };
}

function childCpu(text) {
  const last = text.trim().split("\n").at(-1);
  const seconds = [...last.matchAll(/(\d+)m([\d.]+)s/g)].map((part) => Number(part[1]) * 60 + Number(part[2]));
  return seconds[0] + seconds[1];
}

/** Standard output of a command; throws with its standard error when it fails. */
export function output(command, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ended with ${code}: ${err}${out}`));
    });
  });
}
