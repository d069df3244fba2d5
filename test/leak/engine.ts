/** The native engine opened in this process, with one channel whose answers go to promises. */
import type { Channel, CompletionSink, Engine } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/native.js";
import type { ModelSpec } from "../../src/types.js";
import { models } from "../e2e/server.js";

export { InputFormat, OutputFormat } from "../../src/engine/engine.js";

export interface OpenEngine {
  readonly api: Engine;
  readonly channel: Channel;
  /** Who waits for the answer of a cookie. */
  readonly results: Map<number, (body: string) => void>;
  /** Runs what is to be run inline, and reports it. */
  readonly flush: () => void;
  readonly spec: (name: string) => ModelSpec;
}

export function openEngineForTest(): OpenEngine {
  const options = { cores: 2, loadParallelism: 1, latencyBuckets: [0.001, 0.01], maxDecodedBytes: 1 << 26 };
  const api = openEngine(options);
  const results = new Map<number, (body: string) => void>();
  const sink: CompletionSink = (cookie, code, _model, body) => {
    const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
    results.get(cookie)?.(code === 0 ? text : `error ${code}: ${text}`);
    results.delete(cookie);
  };
  const channel: Channel = api.openChannel(() => channel.drain(sink));
  return { api, channel, results, flush: () => channel.flush(sink), spec };
}

function spec(name: string): ModelSpec {
  return {
    name,
    version: "1.0",
    artifact: `${models}ledger.pt`,
    kind: "torchscript",
    sha256: "0".repeat(64),
    signature: {
      declared: true,
      inputs: [{ name: "x", dtype: "float32", shape: [16], optional: false }],
      outputs: [],
    },
    handler: { name: "base_handler", topK: 5 },
    maxBatchDelayMs: 0,
    jobQueueSize: 100,
    responseTimeoutMs: 10_000,
    instances: 1,
    executor: "auto",
    stateful: false,
    maxInstances: 64,
    source: name,
  };
}
