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
import type { FromThread, ThreadSetup, News, ToThread } from "./messages.js";

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

const { openEngine } = (await import(setup.engineModule)) as { readonly openEngine: () => Engine };
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
});

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
  say({ type: "drained", cut });
  main.close();
}

say({ type: "ready", descriptor: server.app.getDescriptor() });
