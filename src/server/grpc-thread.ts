/**
 * Entry of the gRPC worker thread: opens the shared engine and the gRPC ports, does what main says. A thread of its own,
 * so that HTTP/2 and protobuf cost neither main nor the HTTP threads a turn.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { Engine } from "../engine/engine.js";
import { ServerError } from "../errors.js";
import type { TlsFiles } from "../http/raw.js";
import { HttpState } from "../metrics/http-counters.js";
import { RpcCounters } from "../metrics/rpc-counters.js";
import { GrpcServer } from "./grpc-server.js";
import type { ManageOutcome } from "../api/grpc/management.js";
import type { FromThread, GrpcThreadSetup, ToThread } from "./messages.js";

if (parentPort === null) throw new Error("server/grpc-thread.js is the entry of a worker thread");
const main = parentPort;
const { memory, index, engineModule, limits, door, scripts, tls, grpc, rpcMemory } = workerData as GrpcThreadSetup;

const say = (message: FromThread): void => main.postMessage(message);

// A fault in one call's handling must not end the thread: every other call is fine.
process.on("uncaughtException", (error) => {
  const fields = { error: String(error.stack) };
  say({ type: "log", level: "error", message: "an unexpected error on the gRPC thread", fields });
});

const { openEngine } = (await import(engineModule)) as { readonly openEngine: () => Engine };
/** What main was asked and has not answered. */
const asked = new Map<number, (outcome: ManageOutcome) => void>();
const ids = { next: 1 };

const server = new GrpcServer({
  engine: openEngine(),
  state: new HttpState(memory, index),
  counters: new RpcCounters(rpcMemory),
  limits,
  door,
  scripts,
  setup: grpc,
  tls,
  manage: (request) =>
    new Promise((resolve) => {
      const id = ids.next++;
      asked.set(id, resolve);
      say({ type: "manage", id, request });
    }),
  report: (level, message, fields) => say({ type: "log", level, message, fields }),
  waited: (name, version) => say({ type: "waited", name, version }),
});

main.on("message", (message: ToThread) => {
  switch (message.type) {
    case "handler":
    case "default":
    case "withdraw":
    case "unready":
      server.learn(message);
      say({ type: "ack", id: message.id });
      return;
    case "managed":
      asked.get(message.id)?.(message.outcome);
      asked.delete(message.id);
      return;
    case "listening":
    case "adopt":
      return;
    case "renew":
      renew(message.tls);
      return;
    case "drain":
      return void drain(message.timeoutMs);
  }
});

function renew(files: TlsFiles): void {
  try {
    server.renew(files);
    say({ type: "renewed", descriptor: undefined });
  } catch (error) {
    say({ type: "notRenewed", reason: error instanceof Error ? error.message : String(error) });
  }
}

async function drain(timeoutMs: number): Promise<void> {
  say({ type: "drained", cut: await server.drain(timeoutMs) });
  main.close();
}

try {
  say({ type: "ready", descriptor: await server.open() });
} catch (error) {
  const code = error instanceof ServerError ? error.code : "internal";
  say({ type: "failed", code, message: error instanceof Error ? error.message : String(error) });
  main.close();
}
