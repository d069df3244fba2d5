/** What the lifecycle scripts share: the compiled engine, the small models, waiting. Runs in a process of its own. */
import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openEngine } from "../../../dist/engine/native.js";

const models = fileURLToPath(new URL("../../contract/models/", import.meta.url));

export const options = { cores: 2, loadParallelism: 1, latencyBuckets: [0.01, 1], maxDecodedBytes: 1 << 20 };
export { openEngine };

const input = { name: "x", dtype: "float32", shape: [4], optional: false };

export function specOf(kind, changes = {}) {
  return {
    name: kind,
    version: "1.0",
    artifact: `${models}${kind}.pt`,
    kind: "torchscript",
    sha256: "",
    // Undeclared inputs: no warm-up, which would take seconds for this one.
    signature: { declared: kind !== "slow", inputs: kind === "slow" ? [] : [input], outputs: [] },
    handler: { name: "base_handler", topK: 5 },
    maxBatchDelayMs: 0,
    jobQueueSize: 1000,
    responseTimeoutMs: 60_000,
    ...(kind === "slow" ? {} : { batchSize: 16 }),
    instances: 1,
    executor: "auto",
    stateful: false,
    maxInstances: 16,
    source: "test",
    ...changes,
  };
}

/** The engine with the models published. */
export async function engineWith(...specs) {
  const engine = openEngine(options);
  for (const spec of specs) {
    await engine.load(spec, `${spec.name}/${spec.version}`);
    engine.publish(`${spec.name}/${spec.version}`);
  }
  return engine;
}

const body = (numbers) => new TextEncoder().encode(JSON.stringify(numbers));

/** A channel with promises: predict(name, numbers) → the answer's text. */
export function client(engine) {
  const waiting = new Map();
  let next = 0;
  const sink = (cookie, code, model, answer) => {
    waiting.get(cookie)({ code, model, answer });
    waiting.delete(cookie);
  };
  const channel = engine.openChannel(() => channel.drain(sink));
  const send = (name, numbers, version = "") => {
    const cookie = next++;
    const answered = new Promise((resolve) => waiting.set(cookie, resolve));
    const sent = channel.infer(cookie, channel.nameId(name), version, body(numbers), 0, 0, 0);
    if (sent < 0) {
      waiting.delete(cookie);
      return Promise.resolve({ code: -sent, model: "", answer: channel.lastError() });
    }
    return answered;
  };
  const predict = async (...request) => {
    const answered = send(...request);
    channel.flush(sink);
    return answered;
  };
  /** Keeps the event loop alive while `promise` is pending; channels by themselves do not. */
  const alive = async (promise) => {
    const timer = setInterval(() => undefined, 1000);
    try {
      return await promise;
    } finally {
      clearInterval(timer);
    }
  };
  return {
    channel,
    send,
    alive,
    predict: (...request) => alive(predict(...request)),
    flush: () => channel.flush(sink),
  };
}

export function check(condition, words) {
  if (!condition) throw new Error(words);
}

/** The last thing a script says; synchronous, since some end their process right after. */
export function done(words = "done") {
  writeSync(1, `${words}\n`);
}
