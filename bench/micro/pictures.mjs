// A JPEG of 500×375 in, the five best classes of ResNet-18 out, beside the same network fed with finished tensors by the
// same server: what decoding and preprocessing cost on top. Rounds take turns; `expected` is the tensors' rate with
// libjpeg's own time added to each request, spread over the cores.
//   node bench/micro/pictures.mjs [--json FILE] [--rounds N] [--seconds S]
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { describeMachine } from "../serve/machine.mjs";
import { memoryMb, runWrk, startServer } from "../serve/processes.mjs";
import { bodyOf, makeSamples, writeBodies } from "../serve/samples.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = `${root}.cache/bench/`;
const picture = readFileSync(`${root}test/fixtures/images/bar/jpeg-420.jpg`);
const cores = availableParallelism();
const { values } = parseArgs({
  options: {
    json: { type: "string", default: `${root}bench/results/local/pictures.json` },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "9" },
  },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const connections = [1, 4, 16];

function lay(name, artifact, config) {
  const folder = `${cache}pictures/${name}`;
  mkdirSync(folder, { recursive: true });
  copyFileSync(artifact, `${folder}/model.pt`);
  writeFileSync(`${folder}/model-config.yaml`, JSON.stringify(config));
  return folder;
}

function resnet() {
  const artifact = `${cache}resnet18.pt`;
  mkdirSync(cache, { recursive: true });
  const python = process.env.SCONCE_PYTHON || `${root}.venv/bin/python`;
  if (!existsSync(artifact))
    execFileSync(python, [`${root}bench/models.py`, "resnet18", artifact], { stdio: "inherit" });
  return artifact;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Milliseconds of one decode to pixels, alone on one thread. */
async function decodeMs() {
  sharp.concurrency(1);
  sharp.cache(false);
  const took = [];
  for (let i = 0; i < 60; i++) {
    const began = performance.now();
    await sharp(picture).raw().toBuffer();
    if (i >= 10) took.push(performance.now() - began);
  }
  return median(took);
}

const artifact = resnet();
const input = { format: "raw", shape: [3, 224, 224], samples: 16 };
const inputs = [{ name: "x", dtype: "float32", shape: input.shape }];
const models = [
  lay("pictures", artifact, { handler: "image_classifier" }),
  lay("tensors", artifact, { handler: "base_handler", sconce: { inputs } }),
];
const bodies = { pictures: `${cache}pictures.bodies`, tensors: `${cache}tensors.bodies` };
writeBodies(bodies.pictures, [picture]);
writeBodies(
  bodies.tensors,
  makeSamples(input).map((sample) => bodyOf(sample, "raw")),
);

const args = ["--port", "0", "--management-port", "0", "--metrics-port", "0"];
const command = [`${root}dist/main.js`, "serve", ...models, ...args];
const server = await startServer(process.execPath, command, /^sconce ready:.*inference \S+:(\d+)/);
const figures = {};
try {
  for (let round = -1; round < rounds; round++) {
    for (const concurrency of connections) {
      for (const name of ["pictures", "tensors"]) {
        const target = { pid: server.pid, port: Number(server.match[1]), path: `/predictions/${name}` };
        const load = { contentType: "application/octet-stream", bodies: bodies[name], concurrency };
        const result = await runWrk({ ...target, ...load, seconds: round < 0 ? 2 : seconds });
        if (round >= 0) ((figures[name] ??= {})[concurrency] ??= []).push(result);
      }
    }
  }
  const decode = await decodeMs();
  const rows = connections.map((concurrency) => {
    const rate = (name) => median(figures[name][concurrency].map((each) => each.rate));
    const own = rate("tensors");
    const expected = 1 / (1 / own + decode / 1000 / (concurrency === 1 ? 1 : cores));
    const share = rate("pictures") / expected;
    return { concurrency, pictures: rate("pictures"), tensors: own, expected, ofExpected: share };
  });
  const libtorch = process.env.LIBTORCH ?? readFileSync(`${root}.cache/libtorch`, "utf8").trim();
  const machine = describeMachine(libtorch);
  const result = {
    title: "JPEG 500×375 to the five best classes of ResNet-18",
    machine,
    command: "node bench/micro/pictures.mjs",
    rounds,
    secondsEach: seconds,
    decodeMs: decode,
    rows,
    memory: memoryMb(server.pid),
    all: figures,
  };
  mkdirSync(`${root}bench/results/local`, { recursive: true });
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`decoding alone: ${decode.toFixed(2)} ms`);
  console.table(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, Number(value.toFixed(2))]))),
  );
} finally {
  await server.stop();
}
