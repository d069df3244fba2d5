// Runs one scenario: the server, the echo of the same bodies and the raw loop of the same artifact, in interleaved
// rounds on one machine, and prints ratios. Answers are compared with the raw loop's before and after timing.
//   node bench/serve/run.mjs NAME [--json FILE] [--rounds N] [--seconds S] [--http-threads N]
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compareAnswers } from "./answers.mjs";
import { describeMachine } from "./machine.mjs";
import { memoryMb, runWrk, startServer } from "./processes.mjs";
import { RawLoop } from "./raw.mjs";
import { barsOf, medianOf, printReport } from "./report.mjs";
import { bodyOf, makeSamples, writeBodies, writeTensor } from "./samples.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = `${root}.cache/bench/`;

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "3" },
      "http-threads": { type: "string" },
    },
  });
  const name = positionals[0] ?? "tiny";
  const scenario = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), "utf8"));
  return { name, scenario, rounds: Number(values.rounds), seconds: Number(values.seconds), values };
}

/** The folder of libtorch that setup found, and a Python that can import torch (needed to make models). */
function libtorchFolder() {
  const file = `${root}.cache/libtorch`;
  const folder = process.env.LIBTORCH ?? (existsSync(file) ? readFileSync(file, "utf8").trim() : undefined);
  if (folder === undefined) throw new Error("no libtorch known: run npm run setup");
  return folder;
}

function pythonWithTorch(libtorch) {
  const besides = resolve(libtorch, "../../../../bin/python");
  for (const python of [process.env.SCONCE_PYTHON, `${root}.venv/bin/python`, besides, "python3"]) {
    try {
      execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
      return python;
    } catch {
      // The next one.
    }
  }
  throw new Error("making the models needs a complete Python torch: set SCONCE_PYTHON");
}

/** The model's artifact with its declaration beside it. */
function prepareModel(scenario, libtorch) {
  mkdirSync(cache, { recursive: true });
  const artifact = `${cache}${scenario.model}.pt`;
  if (!existsSync(artifact)) {
    console.error(`making ${artifact}`);
    execFileSync(pythonWithTorch(libtorch), [`${root}bench/models.py`, scenario.model, artifact], { stdio: "inherit" });
  }
  const shape = scenario.input.shape.join(", ");
  const precision = `  precision: ${scenario.precision ?? "float32"}\n`;
  const yaml = `sconce:\n${precision}  inputs:\n    - { name: x, dtype: float32, shape: [${shape}] }\n`;
  writeFileSync(`${cache}${scenario.model}.yaml`, yaml);
  return artifact;
}

function prepareBodies(scenario) {
  const samples = makeSamples(scenario.input);
  const bodies = samples.map((sample) => bodyOf(sample, scenario.input.format));
  const files = { bodies: `${cache}${scenario.model}.bodies`, tensor: `${cache}${scenario.model}.f32` };
  writeBodies(files.bodies, bodies);
  writeTensor(files.tensor, samples);
  return { bodies, files, count: samples.length };
}

async function startTargets(scenario, artifact, extra, answer) {
  const args = ["serve", artifact, "--port", "0", "--management-port", "0", "--metrics-port", "0", ...extra];
  const command = [`${root}dist/main.js`, ...args];
  const sconce = await startServer(process.execPath, command, /^sconce ready:.*inference \S+:(\d+)/);
  const targets = { sconce: { ...sconce, port: Number(sconce.match[1]), command: ["node", ...command].join(" ") } };
  if (scenario.echo) {
    const file = `${cache}${scenario.model}.answer`;
    writeFileSync(file, await answer(targets.sconce));
    const script = fileURLToPath(new URL("echo.mjs", import.meta.url));
    const echo = await startServer(process.execPath, [script, file], /^echo ready: (\d+)/);
    targets.echo = { ...echo, port: Number(echo.match[1]), command: `node ${script} ${file}` };
  }
  return targets;
}

/** Interleaved rounds; figures[target][concurrency] is a list with one entry a round. */
async function measure({ scenario, rounds, seconds, targets, request, raw, onRound }) {
  const figures = Object.fromEntries(Object.keys(targets).map((name) => [name, {}]));
  const rawFigures = [];
  for (let round = -1; round < rounds; round++) {
    // Round -1 warms up and is not kept.
    const span = round < 0 ? Math.min(seconds, 2) : seconds;
    for (const concurrency of scenario.concurrency) {
      for (const [name, target] of Object.entries(targets)) {
        const result = await runWrk({ ...request, pid: target.pid, port: target.port, concurrency, seconds: span });
        if (round >= 0) (figures[name][concurrency] ??= []).push(result);
      }
    }
    if (raw && round >= 0) rawFigures.push(await raw.round(span));
    onRound(round + 1, rounds);
  }
  return { figures, rawFigures };
}

async function main() {
  const options = parseOptions();
  const { scenario, rounds } = options;
  const seconds = options.seconds * (scenario.secondsFactor ?? 1);
  const libtorch = libtorchFolder();
  const artifact = prepareModel(scenario, libtorch);
  const { bodies, files, count } = prepareBodies(scenario);
  const raw = new RawLoop({ root, libtorch, artifact, tensor: files.tensor, scenario, count });
  raw.build();
  const contentType = scenario.input.format === "raw" ? "application/octet-stream" : "application/json";
  const path = `/predictions/${scenario.model}`;
  const ask = async (target, body) => {
    const url = `http://127.0.0.1:${target.port}${path}`;
    const answer = await fetch(url, { method: "POST", headers: { "content-type": contentType }, body });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  };
  const threads = options.values["http-threads"];
  const extra = [...(scenario.serve ?? []), ...(threads ? ["--http-threads", threads] : [])];
  const targets = await startTargets(scenario, artifact, extra, (target) => ask(target, bodies[0]));
  try {
    const expected = await raw.answers();
    const check = () => compareAnswers(bodies, (body) => ask(targets.sconce, body), expected, scenario.tolerance);
    await check();
    const tuned = scenario.raw ? await raw.explore() : undefined;
    const request = { path, contentType, bodies: files.bodies };
    const onRound = (done, of) => process.stderr.write(`\rround ${done}/${of} `);
    const { figures, rawFigures } = await measure({
      scenario,
      rounds,
      seconds,
      targets,
      request,
      raw: tuned && raw,
      onRound,
    });
    process.stderr.write("\r");
    await check();
    const memory = Object.fromEntries(Object.entries(targets).map(([name, each]) => [name, memoryMb(each.pid)]));
    const result = {
      scenario: options.name,
      title: scenario.title,
      machine: describeMachine(libtorch),
      command: process.argv.slice(1).join(" ").replaceAll(root, ""),
      servers: Object.fromEntries(
        Object.entries(targets).map(([name, each]) => [name, each.command.replaceAll(root, "")]),
      ),
      rounds,
      secondsEach: seconds,
      bodyBytes: bodies[0].length,
      medians: medianOf(figures, rawFigures),
      memory,
      rawCandidates: tuned,
      all: { ...figures, raw: rawFigures },
    };
    result.bars = barsOf(scenario, result);
    printReport(result);
    const file = options.values.json ?? `${root}bench/results/local/${options.name}.json`;
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
    console.log(`written: ${file}`);
  } finally {
    await Promise.all(Object.values(targets).map((each) => each.stop()));
  }
}

await main();
