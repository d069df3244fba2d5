/**
 * The demo's second half (scripts/demo runs setup first): starts the server on examples/digits/digits.mar, sends it
 * the PNG files beside it, checks the answers against examples/digits/expected.json, keeps serving or exits.
 *
 *     node scripts/demo.mjs [--exit]
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const folder = "examples/digits";
const readyTimeoutMs = 60_000;

/** Resolves to `port` when it is free on loopback, else to one that the system picks. */
async function freePort(port, taken) {
  const server = createServer();
  const bound = await new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
  if (!bound) return freePort(0, taken);
  const found = server.address().port;
  server.close();
  await once(server, "close");
  if (taken.has(found)) return freePort(0, taken);
  taken.add(found);
  return found;
}

async function startServer() {
  const taken = new Set();
  const ports = [];
  for (const wanted of [8080, 8081, 8082]) {
    const port = await freePort(wanted, taken);
    if (port !== wanted) console.log(`      port ${wanted} is taken, using ${port}`);
    ports.push(port);
  }
  const [port, managementPort, metricsPort] = ports;
  const args = ["dist/main.js", "serve", `${folder}/digits.mar`, "--port", port, "--management-port", managementPort];
  const server = spawn(
    process.execPath,
    [...args, "--metrics-port", metricsPort, "--log-level", "warn", "--log-format", "text"].map(String),
    {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    },
  );
  return { server, port };
}

async function untilReady({ server, port }) {
  const giveUp = Date.now() + readyTimeoutMs;
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null) {
      throw new Error(`the server ended before it was ready (code ${server.exitCode ?? server.signalCode})`);
    }
    const answer = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined);
    if (answer?.status === 200) return;
    if (Date.now() > giveUp) throw new Error(`the server was not ready after ${readyTimeoutMs / 1000} s`);
    await sleep(50);
  }
}

/** One PNG, as `curl -T` sends it. Resolves to [label, probability] with the highest probability. */
async function classify(port, file) {
  const answer = await fetch(`http://127.0.0.1:${port}/predictions/digits`, {
    method: "PUT",
    body: readFileSync(`${folder}/${file}`),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${file}: HTTP ${answer.status} ${text.trim()}`);
  return Object.entries(JSON.parse(text)).reduce((best, each) => (each[1] > best[1] ? each : best));
}

/** Prints one row per picture; resolves to how many answers were not what PyTorch answers for the same bytes. */
async function predictAll(port) {
  const expected = JSON.parse(readFileSync(`${folder}/expected.json`, "utf8"));
  console.log(`\n  ${"file".padEnd(8)} ${"predicted".padEnd(10)} ${"probability".padEnd(12)} written`);
  let wrong = 0;
  for (const [file, want] of Object.entries(expected)) {
    const [label, probability] = await classify(port, file);
    const asPyTorch = label === want.predicted && Math.abs(probability - want.probabilities[label]) < 1e-4;
    wrong += asPyTorch ? 0 : 1;
    const remark = asPyTorch ? "" : `  WRONG: PyTorch says ${want.predicted} ${want.probabilities[want.predicted]}`;
    console.log(`  ${file.padEnd(8)} ${label.padEnd(10)} ${probability.toFixed(4).padEnd(12)} ${want.label}${remark}`);
  }
  console.log(`\n  ${Object.keys(expected).length - wrong} of ${Object.keys(expected).length} as PyTorch answers them`);
  return wrong;
}

/**
 * Ctrl-C reaches this process twice, from the terminal and from npm, and a second signal would end the server without
 * its drain. So the server has a process group of its own and gets one signal a second.
 */
function forwardSignals(server) {
  let last = 0;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      if (Date.now() - last > 1000) server.kill(signal);
      last = Date.now();
    });
  }
}

async function main() {
  const exit = process.argv.includes("--exit");
  console.log("\nstarting the server on examples/digits/digits.mar");
  const running = await startServer();
  const { server, port } = running;
  const ended = once(server, "exit");
  forwardSignals(server);
  let wrong;
  try {
    await untilReady(running);
    wrong = await predictAll(port);
  } catch (error) {
    server.kill("SIGTERM");
    await ended;
    throw error;
  }
  if (exit) {
    server.kill("SIGTERM");
    const [code] = await ended;
    if (code !== 0) console.error(`the server ended with code ${code}`);
    process.exitCode = wrong === 0 && code === 0 ? 0 : 1;
    return;
  }
  console.log(`\n  Serving until Ctrl-C. Try:\n\n    curl -T ${folder}/7.png localhost:${port}/predictions/digits\n`);
  const [code] = await ended;
  process.exitCode = code ?? 1;
}

await main().catch((error) => {
  console.error(`demo failed: ${error.message}`);
  process.exitCode = 1;
});
