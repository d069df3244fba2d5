// The image path beside TorchServe itself: the same archive, made by torch-model-archiver (TorchScript, image_classifier), a
// JPEG of 500×375 in, the five best classes out. TorchServe stands with several settings of workers, batch and threads; at
// each number of connections the best of a short search takes turns with sconce.
//   node bench/micro/torchserve.mjs --python PYTHON [--network mobilenet_v3_small] [--json FILE] [--rounds N] [--seconds S]
// PYTHON: of an environment with torch, torchvision, torchserve and torch-model-archiver; `java` is on the path.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeMachine } from "../serve/machine.mjs";
import { runWrk, startServer } from "../serve/processes.mjs";
import { writeBodies } from "../serve/samples.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    network: { type: "string", default: "resnet18" },
    json: { type: "string", default: `${root}bench/results/local/torchserve.json` },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "6" },
  },
});
const { python, network } = values;
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const connections = [1, 4, 16];
/** Threads of each worker's libtorch go with a server; workers and batch with a registration. */
const settings = [
  { threads: 2, workers: 1, batch: 1 },
  { threads: 2, workers: 1, batch: 8 },
  { threads: 1, workers: 2, batch: 1 },
  { threads: 1, workers: 2, batch: 4 },
  { threads: 1, workers: 2, batch: 8 },
];
/** TorchServe waits so long for a batch to fill. */
const batchDelayMs = 5;
const warmUpSeconds = 8;
const folder = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
const contentType = "image/jpeg";
/** What is stopped at the end. */
const started = [];

function archive() {
  const code = `import sys, torch, torchvision
torch.manual_seed(0)
model = getattr(torchvision.models, sys.argv[1])(weights=None).eval()
torch.jit.script(model).save(sys.argv[2])`;
  execFileSync(python, ["-W", "ignore", "-c", code, network, join(folder, "model.pt")], { stdio: "inherit" });
  const names = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [index, `class ${index}`]));
  writeFileSync(join(folder, "index_to_name.json"), JSON.stringify(names));
  const words = [
    "--model-name",
    "net",
    "--version",
    "1.0",
    "--serialized-file",
    "model.pt",
    "--handler",
    "image_classifier",
  ];
  const more = ["--extra-files", "index_to_name.json", "--export-path", folder, "--force"];
  execFileSync(join(dirname(python), "torch-model-archiver"), [...words, ...more], { cwd: folder });
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function ready(url) {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${url} did not answer in a minute`);
}

/** A TorchServe whose workers have so many threads, with the archive registered once per setting. */
async function startTorchServe(threads) {
  const home = join(folder, `threads-${threads}`);
  mkdirSync(home);
  const [inference, management, metrics, grpc, grpcManagement] = await Promise.all([1, 2, 3, 4, 5].map(freePort));
  const lines = [
    `inference_address=http://127.0.0.1:${inference}`,
    `management_address=http://127.0.0.1:${management}`,
    `metrics_address=http://127.0.0.1:${metrics}`,
    `grpc_inference_port=${grpc}`,
    `grpc_management_port=${grpcManagement}`,
    `model_store=${folder}`,
    "disable_token_authorization=true",
    "enable_model_api=true",
    "disable_system_metrics=true",
    "job_queue_size=1000",
  ];
  const config = join(home, "config.properties");
  writeFileSync(config, lines.join("\n"));
  const words = ["--start", "--foreground", "--ncs", "--ts-config", config];
  // Where its pid file is: two of them would be one.
  const own = { TMPDIR: home, OMP_NUM_THREADS: String(threads) };
  const env = { ...process.env, ...own, PATH: `${dirname(python)}:${process.env.PATH}` };
  const child = spawn(join(dirname(python), "torchserve"), words, { cwd: home, env, stdio: "ignore", detached: true });
  started.push({ stop: () => process.kill(-child.pid, "SIGTERM") });
  await ready(`http://127.0.0.1:${inference}/ping`);
  const targets = [];
  for (const setting of settings.filter((each) => each.threads === threads)) {
    const name = `w${setting.workers}b${setting.batch}`;
    const query = `url=net.mar&model_name=${name}&initial_workers=${setting.workers}&batch_size=${setting.batch}`;
    const url = `http://127.0.0.1:${management}/models?${query}&max_batch_delay=${batchDelayMs}&synchronous=true`;
    const answer = await fetch(url, { method: "POST" });
    if (!answer.ok) throw new Error(`TorchServe: ${await answer.text()}`);
    targets.push({ setting, pid: child.pid, port: inference, path: `/predictions/${name}` });
  }
  return targets;
}

async function startSconce() {
  const words = [`${root}dist/main.js`, "serve", join(folder, "net.mar")];
  const ports = ["--port", "0", "--management-port", "0", "--metrics-port", "0"];
  const server = await startServer(process.execPath, [...words, ...ports], /^sconce ready:.*inference \S+:(\d+)/);
  return { pid: server.pid, port: server.match[1], path: "/predictions/net", stop: server.stop };
}

const bodies = join(folder, "bodies");
const measure = (target, concurrency, time) => runWrk({ ...target, contentType, bodies, concurrency, seconds: time });
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** The best setting per number of connections, after each had time to warm up. */
async function search(targets) {
  const best = {};
  for (const target of targets) await measure(target, 4, warmUpSeconds);
  for (const concurrency of connections) {
    const rates = [];
    for (const target of targets) rates.push({ target, ...(await measure(target, concurrency, seconds)) });
    best[concurrency] = rates.reduce((one, other) => (other.rate > one.rate ? other : one)).target;
    process.stdout.write(`c=${concurrency}: TorchServe's best is ${JSON.stringify(best[concurrency].setting)}\n`);
  }
  return best;
}

async function compare(sconce, best) {
  const figures = [];
  for (const concurrency of connections) {
    const [ours, theirs] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(await measure(sconce, concurrency, seconds));
      theirs.push(await measure(best[concurrency], concurrency, seconds));
    }
    const of = (rows) => ({ rate: median(rows.map((row) => row.rate)), p50Us: median(rows.map((row) => row.p50Us)) });
    figures.push({
      concurrency,
      setting: best[concurrency].setting,
      sconce: of(ours),
      torchserve: of(theirs),
      ours,
      theirs,
    });
  }
  return figures;
}

function show(figures) {
  for (const { concurrency, sconce, torchserve, setting } of figures) {
    const words = [sconce, torchserve].map(
      ({ rate, p50Us }) => `${rate.toFixed(1)}/s p50 ${(p50Us / 1000).toFixed(1)} ms`,
    );
    const { workers, batch, threads } = setting;
    const how = `${workers} workers, batch ${batch}, ${threads} threads each`;
    const times = (sconce.rate / torchserve.rate).toFixed(2);
    process.stdout.write(`c=${concurrency}  sconce ${words[0]}  TorchServe ${words[1]} (${how})  ${times} times\n`);
  }
}

try {
  archive();
  writeBodies(bodies, [readFileSync(`${root}test/fixtures/images/bar/jpeg-420.jpg`)]);
  const targets = [];
  for (const threads of new Set(settings.map((each) => each.threads))) {
    targets.push(...(await startTorchServe(threads)));
  }
  const sconce = await startSconce();
  started.push(sconce);
  await measure(sconce, 4, warmUpSeconds);
  const figures = await compare(sconce, await search(targets));
  show(figures);
  const versions = execFileSync(python, [
    "-c",
    "import torch, torchvision, ts; print(torch.__version__, torchvision.__version__, ts.__version__)",
  ]);
  const machine = describeMachine(process.env.LIBTORCH ?? "");
  const command = `bench/micro/torchserve.mjs --network ${network} --rounds ${rounds} --seconds ${seconds}`;
  mkdirSync(dirname(values.json), { recursive: true });
  const packages = String(versions).trim().split("\n").at(-1);
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, command, "torch, torchvision, torchserve": packages, figures }, null, 2)}\n`,
  );
} finally {
  for (const each of started.reverse()) await each.stop();
  rmSync(folder, { recursive: true, force: true });
}
