/**
 * What a handler in TypeScript that only reshapes costs per request over the built-in one: the same model, one connection,
 * one request after the other, in rounds that take turns. Closed loop with Node's own client. Needs dist/ and the addon.
 *
 *   node bench/micro/handler-cost.mjs [ROUNDS] [REQUESTS]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const [rounds = 5, requests = 4000] = process.argv.slice(2).map(Number);
const handler = `import { defineHandler, tensor } from "sconce";
export default defineHandler({
  preprocess: (request) => tensor(Float32Array.from(request.json() as number[]), [16]),
  postprocess: ([output]) => output?.data,
});
`;

function model(folder, name, yaml) {
  mkdirSync(join(folder, name));
  copyFileSync(`${root}test/fixtures/models/mlp.pt`, join(folder, name, "model.pt"));
  const inputs = "sconce:\n  inputs:\n    - { name: x, dtype: float32, shape: [16] }\n";
  writeFileSync(join(folder, name, "model-config.yaml"), yaml + inputs);
  return join(folder, name);
}

async function start(models) {
  const ports = ["port", "management-port", "metrics-port"].flatMap((name) => [`--${name}`, "0"]);
  const words = [`${root}dist/main.js`, "serve", ...models, ...ports, "--http-threads", "1", "--log-level", "warn"];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  for await (const chunk of child.stdout) {
    told += chunk;
    const [, port] = /^sconce ready: inference http:\/\/[^:]+:(\d+)/m.exec(told) ?? [];
    if (port !== undefined) return { child, port };
  }
  throw new Error("the server did not start");
}

const body = JSON.stringify(Array.from({ length: 16 }, (_, i) => Math.fround(Math.sin(i))));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function ask(port, name) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const sent = request({ port, path: `/predictions/${name}`, method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(String(answer.statusCode)))));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

async function p50(port, name) {
  const times = [];
  for (let i = 0; i < requests; i++) {
    const begun = performance.now();
    await ask(port, name);
    times.push((performance.now() - begun) * 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(requests / 2)];
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const folder = mkdtempSync(join(tmpdir(), "sconce-bench-"));
const scripted = model(folder, "scripted", "handler: handler.ts\n");
writeFileSync(join(scripted, "handler.ts"), handler);
const { child, port } = await start([model(folder, "builtin", ""), scripted]);
const found = { builtin: [], scripted: [] };
for (let round = 0; round <= rounds; round++) {
  for (const name of ["builtin", "scripted"]) {
    const time = await p50(port, name);
    if (round > 0) found[name].push(time);
  }
}
const [builtin, own] = [median(found.builtin), median(found.scripted)];
console.log(`p50 at c=1: built-in ${builtin.toFixed(1)} µs, TypeScript ${own.toFixed(1)} µs`);
console.log(`over the built-in one: ${(own - builtin).toFixed(1)} µs; load of the machine ${loadavg()[0].toFixed(1)}`);
agent.destroy();
child.kill("SIGTERM");
await once(child, "exit");
rmSync(folder, { recursive: true, force: true });
