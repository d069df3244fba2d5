/**
 * Entry of an HTTP worker thread: opens the shared engine, serves connections that main hands over, does what main says.
 * It ends by itself once its app is closed: a thread that owns an open app must never be terminated.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { Engine } from "../engine/engine.js";
import { loadListener } from "../http/listener.js";
import type { TlsFiles } from "../http/raw.js";
import { HttpState } from "../metrics/http-counters.js";
import { InferenceServer } from "./inference-server.js";
import type { SocketCalls } from "../types.js";
import type { FromThread, ThreadSetup, News, ToThread } from "./messages.js";

interface EngineModule {
  readonly openEngine: () => Engine;
  /** Not there in engines for tests. */
  readonly socketCalls?: () => SocketCalls;
}

if (parentPort === null) throw new Error("server/thread.js is the entry of a worker thread");
const main = parentPort;
const setup = workerData as ThreadSetup;

const say = (message: FromThread): void => main.postMessage(message);

// A fault in one request's handling must not end the thread: its app is open, and every other request is fine.
process.on("uncaughtException", (error) => {
  say({
    type: "log",
    level: "error",
    message: "an unexpected error on an HTTP thread",
    fields: { error: String(error.stack) },
  });
});

const native = (await import(setup.engineModule)) as EngineModule;
const { openEngine } = native;
const server = new InferenceServer({
  engine: openEngine(),
  listener: await loadListener(),
  state: new HttpState(setup.memory, setup.index),
  limits: setup.limits,
  door: setup.door,
  scripts: setup.scripts,
  relay: setup.relay,
  tls: setup.tls,
  report: (level, message, fields) => say({ type: "log", level, message, fields }),
  writeAccess: (lines) => say({ type: "access", lines }),
  waited: (name, version) => say({ type: "waited", name, version }),
});

const drained = new AbortController();

main.on("message", (message: ToThread) => {
  switch (message.type) {
    case "handler":
    case "default":
    case "withdraw":
    case "unready": {
      learn(message);
      say({ type: "ack", id: message.id });
      return;
    }
    case "listening": {
      server.listening(message.port);
      return;
    }
    case "adopt": {
      if (drained.signal.aborted) native.socketCalls?.().closeSocket(message.fd);
      else server.app.adoptSocket(message.fd);
      return;
    }
    case "managed":
      return;
    case "renew": {
      renew(message.tls);
      return;
    }
    case "drain":
      return void drain(message.timeoutMs);
  }
});

function renew(tls: TlsFiles): void {
  try {
    say({ type: "renewed", descriptor: server.renew(tls).getDescriptor() });
  } catch (error) {
    say({ type: "notRenewed", reason: error instanceof Error ? error.message : String(error) });
  }
}

function learn(message: News): void {
  if (message.type === "handler") server.announce(message.announcement);
  else if (message.type === "unready") server.setUnready(message.entries);
  else if (message.type === "default") server.setDefault(message.name, message.version);
  else server.withdraw(message.name, message.version);
}

async function drain(timeoutMs: number): Promise<void> {
  const cut = await server.drain(timeoutMs);
  drained.abort();
  say({ type: "drained", cut });
  main.close();
}

say({ type: "ready", descriptor: server.app.getDescriptor() });
