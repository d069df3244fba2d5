/**
 * Entry of a handler's thread: loads the compiled handler, lets it initialise, then serves the ports that main hands over.
 * Main may terminate it at any time: it owns no listener.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type { Engine } from "../engine/engine.js";
import type { Context, HandlerDefinition, ModelFacts } from "../handlers/define.js";
import { Confined } from "./confined.js";
import { checkDefinition } from "./definition.js";
import { Host, type Link, ownInference } from "./host.js";
import {
  beatMs,
  type FromGuest,
  type FromHandler,
  type HandlerSetup,
  type ToGuest,
  type ToHandler,
} from "./messages.js";
import { Tally } from "./tally.js";
import { bytesWords, HandlerLog, HandlerMetrics, words } from "./told.js";

if (parentPort === null) throw new Error("script/thread.js is the entry of a worker thread");
const main = parentPort;
const setup = workerData as HandlerSetup;
const say = (message: FromGuest): void => main.postMessage(message);

const noModel =
  "there is no model file beside the handler: put one there, or answer by an inference hook without context.infer";
const end = process.exit.bind(process);
process.setSourceMapsEnabled(true);
// The thread would end with every request that it has; a throw fails the one that asked for it.
process.exit = (code) => {
  throw new Error(`process.exit(${code ?? ""}) in a handler: the request fails, the thread goes on`);
};

const log = new HandlerLog(say);
const metrics = new HandlerMetrics(say);

/** From a file, so that stacks and source maps work; it is gone when it is loaded. */
async function load(): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-handler-"));
  try {
    const file = join(folder, "handler.mjs");
    writeFileSync(file, setup.code, { mode: 0o600 });
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    return module.default;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Loaded {
  readonly handler: HandlerDefinition;
  readonly confined?: Confined;
}

async function here(): Promise<Loaded> {
  return { handler: checkDefinition(await load(), setup.script.file) };
}

/** In a process of its own, whose end is the thread's: the next one has another. */
async function apart(model: ModelFacts, infer: Context["infer"]): Promise<Loaded> {
  const { code, script } = setup;
  const ended = (reason: string): void => {
    log.error("the handler's process ended", { reason });
    end(1);
  };
  const { handler, process } = await Confined.start({ code, script, model, env: setup.childEnv, say, infer, ended });
  return { handler, confined: process };
}

async function start(): Promise<void> {
  const { name, version, script, inputs, outputs } = setup;
  const model = { name, version, folder: script.folder, inputs, outputs };
  const made: { host?: Host } = {};
  const infer: Context["infer"] = (input) =>
    script.alone === true
      ? Promise.reject(new Error(noModel))
      : (made.host?.infer(input) ?? Promise.reject(new Error("context.infer: the handler does not serve yet")));
  const { handler, confined } = await (script.isolation === "process" ? apart(model, infer) : here());
  if (script.alone === true && !ownInference(handler)) throw new Error(`${script.file}: ${noModel}`);
  const before = { model, config: script.config, log, metrics };
  const state = await handler.initialize?.(before);
  const context: Context = { ...before, state, infer };
  const { openEngine } = (await import(setup.engineModule)) as { readonly openEngine: () => Engine };
  const engine = openEngine();
  const tally = script.alone === true ? new Tally() : undefined;
  const host = (made.host = new Host({
    handler,
    context,
    script,
    ...(tally === undefined ? {} : { tally }),
    openChannel: (onReady) => engine.openChannel(onReady),
    ...(confined === undefined ? {} : { forget: (request) => confined.forget(request) }),
    report: (hook, request, error) => request.log.error(`the handler's ${hook} failed`, { error: words(error) }),
  }));
  main.on("message", (message: ToGuest) => {
    if ("takes" in message) {
      host.takes = message.takes;
      return;
    }
    if ("drain" in message) {
      host.drain(() => say({ type: "idle" }));
      return;
    }
    const { port, link: memory } = message;
    const link: Link = {
      words: new Int32Array(memory),
      say: (answer: FromHandler) =>
        port.postMessage({ ...answer, body: bytesWords(answer.body), part: bytesWords(answer.part) }),
    };
    port.on("message", (message: ToHandler) => host.take(link, message));
    port.on("close", () => host.drop(link));
  });
  const beat = new Int32Array(setup.beat);
  setInterval(() => {
    Atomics.add(beat, 0, 1);
    if (confined?.still !== true) host.tick();
    confined?.tick();
    metrics.flush();
    const told = tally?.take(host.requests);
    if (told !== undefined) say(told);
  }, beatMs(script.hookTimeoutMs));
  say({ type: "ready" });
}

try {
  await start();
} catch (error) {
  say({ type: "failed", message: words(error) });
  main.close();
}
