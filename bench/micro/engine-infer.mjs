/**
 * What one request costs on its way through the engine, on the thread that sends it: infer + flush, JSON in and out, at
 * several requests per event-loop turn. No sockets. Needs dist/ and the addon.
 *
 *   node bench/micro/engine-infer.mjs test/fixtures/models/mlp.pt 16
 */
import { resolve } from "node:path";
import { openEngine } from "../../dist/engine/native.js";

const [artifact = "test/fixtures/models/mlp.pt", features = "16"] = process.argv.slice(2);
const spec = {
  name: "mlp",
  version: "1.0",
  artifact: resolve(artifact),
  kind: "torchscript",
  sha256: "",
  signature: {
    declared: true,
    inputs: [{ name: "x", dtype: "float32", shape: [Number(features)], optional: false }],
    outputs: [],
  },
  handler: { name: "base_handler", topK: 5 },
  maxBatchDelayMs: 0,
  jobQueueSize: 1000,
  responseTimeoutMs: 60_000,
  instances: 1,
  executor: "inline",
  stateful: false,
  maxInstances: 16,
  source: "bench",
};

const engine = openEngine({
  cores: 1,
  loadParallelism: 1,
  latencyBuckets: [0.001, 0.01, 0.1],
  maxDecodedBytes: 1 << 20,
});
const report = await engine.load(spec, "mlp");
engine.publish("mlp");
const channel = engine.openChannel(() => undefined);
const id = channel.nameId("mlp");
const numbers = Array.from({ length: Number(features) }, (_, i) => Math.fround(Math.sin(i)));
const body = new TextEncoder().encode(JSON.stringify(numbers)).buffer;

let bytes = 0;
const sink = (_cookie, code, _model, answer) => {
  if (code !== 0) throw new Error(answer);
  bytes += answer.length;
};

/** Nanoseconds of processor time per request with `turn` requests per flush; other processes do not disturb it much. */
function measure(turn, requests) {
  const start = process.cpuUsage();
  for (let sent = 0; sent < requests; sent += turn) {
    for (let i = 0; i < turn; ++i) {
      if (channel.infer(i, id, "", body, 0, 0, 120_000) !== 0) throw new Error(channel.lastError());
    }
    channel.flush(sink);
  }
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / requests;
}

console.log(`form ${report.form}, batch ${report.batchSize}, body ${body.byteLength} bytes`);
for (const turn of [1, 8, 32, 64]) {
  measure(turn, 6400);
  const best = Math.min(...[1, 2, 3, 4, 5].map(() => measure(turn, 64_000)));
  console.log(`${turn} a turn: ${best.toFixed(0)} ns a request (best of 5)`);
}
channel.close();
