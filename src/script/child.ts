/**
 * Entry of the process that runs a handler's hooks: nothing of the server is in it, and what it may read, use and see is
 * what script/confined.ts gave it. It ends when its channel closes.
 */
import { pathToFileURL } from "node:url";
import type { Context, HandlerDefinition, ModelInput, OutputTensor } from "../handlers/define.js";
import type { ChildSetup, FromChild, Made, MadeAnswer, ToChild } from "./child-messages.js";
import { errorFrom, madeError } from "./child-errors.js";
import { answerOf, rowsOf } from "./convert.js";
import { ServerError } from "../errors.js";
import { checkDefinition } from "./definition.js";
import { HookRequest } from "./request.js";
import { partOf, streamedOf } from "./stream.js";
import { HandlerLog, HandlerMetrics, words } from "./told.js";

const metricsMs = 250;
const send = process.send?.bind(process);
if (send === undefined) throw new Error("script/child.js is started by a handler's thread");
const say = (message: FromChild): void => void send(message);
const end = process.exit.bind(process);

process.setSourceMapsEnabled(true);
process.on("disconnect", () => end(0));
// As on a thread: a throw fails the request that asked for it.
process.exit = (code) => {
  throw new Error(`process.exit(${code ?? ""}) in a handler: the request fails, the process goes on`);
};

const log = new HandlerLog(say as (message: unknown) => void);
const metrics = new HandlerMetrics(say as (message: unknown) => void);
const requests = new Map<number, HookRequest>();
/** Answers in parts that are under way, by their request's key. */
const streams = new Map<number, AsyncIterator<unknown>>();
const runs = new Map<number, { resolve: (outputs: readonly OutputTensor[]) => void; reject: (e: Error) => void }>();
const counter = { next: 1 };

/** The handler's own way to the model, which is on the other side. */
function infer(input: ModelInput): Promise<readonly OutputTensor[]> {
  return new Promise((resolve, reject) => {
    const rows = rowsOf(input);
    const run = counter.next++;
    runs.set(run, { resolve, reject });
    say({ type: "infer", run, rows });
  });
}

function inferred({ run, outputs, failed }: Extract<ToChild, { readonly type: "inferred" }>): void {
  const waits = runs.get(run);
  runs.delete(run);
  if (failed === undefined) waits?.resolve(outputs);
  else waits?.reject(errorFrom(failed));
}

interface Keyed {
  readonly key: number;
  readonly request: HookRequest;
}

interface Running {
  readonly handler: HandlerDefinition;
  readonly context: Context;
}

async function start({ file, shown, model, config }: ChildSetup): Promise<Running> {
  const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  const handler = checkDefinition(module.default, shown);
  const before = { model, config, log, metrics };
  const state = await handler.initialize?.(before);
  const has = (hook: "preprocess" | "inference" | "postprocess"): boolean =>
    (handler as Readonly<Partial<Record<typeof hook, unknown>>>)[hook] !== undefined;
  const { batch = false } = handler;
  const [preprocess, inference, postprocess] = [has("preprocess"), has("inference"), has("postprocess")];
  say({ type: "started", batch, preprocess, inference, postprocess });
  setInterval(() => metrics.flush(), metricsMs);
  return { handler, context: { ...before, state, infer } };
}

/** `outputs` undefined: preprocess. */
async function hook(
  { handler, context }: Running,
  asked: readonly Keyed[],
  outputs: readonly (readonly OutputTensor[])[] | undefined,
): Promise<readonly Made[]> {
  const convert = (made: unknown, key: number): Made =>
    outputs === undefined ? { rows: rowsOf(made) } : { answer: answer(made, key) };
  if (handler.batch === true) {
    const plain = asked.map(({ request }) => request);
    const made: unknown = await (outputs === undefined
      ? handler.preprocess?.(plain, context)
      : handler.postprocess?.(outputs, plain, context));
    if (!Array.isArray(made) || made.length !== asked.length) {
      const got = Array.isArray(made) ? `${made.length} entries` : typeof made;
      const text = `The handler gave ${got} for ${asked.length} requests; expected a list with one entry for each.`;
      throw new ServerError("handler_failed", text);
    }
    return asked.map(({ key }, i) => guarded(() => convert(thrown(made[i]), key)));
  }
  const [first] = asked;
  if (first === undefined) return [];
  const made = await (outputs === undefined
    ? handler.preprocess?.(first.request, context)
    : handler.postprocess?.(outputs[0] ?? [], first.request, context));
  return [convert(made, first.key)];
}

/** What the hooks of a handler with `inference` make of a request, from the first to the last. */
async function whole({ handler, context }: Running, asked: Keyed | undefined): Promise<readonly Made[]> {
  if (asked === undefined || handler.batch === true) return [];
  const { request, key } = asked;
  const input: unknown = handler.preprocess === undefined ? request : await handler.preprocess(request, context);
  const made: unknown = await handler.inference?.(input, request, context);
  const last: unknown = handler.postprocess
    ? await handler.postprocess(made as readonly OutputTensor[], request, context)
    : made;
  return [{ answer: answer(last, key) }];
}

function thrown(entry: unknown): unknown {
  if (entry instanceof Error) throw entry;
  return entry;
}

function answer(made: unknown, key: number): MadeAnswer {
  const streamed = streamedOf(made);
  if (streamed === undefined) {
    const { ask: _, body = "", ...rest } = answerOf(0, made);
    return { body, ...rest };
  }
  // Parts for nobody are not begun.
  if (requests.has(key)) streams.set(key, streamed.parts[Symbol.asyncIterator]());
  return streamed.head;
}

async function next({ call, key }: Extract<ToChild, { readonly type: "next" }>): Promise<void> {
  try {
    const made = await streams.get(key)?.next();
    const part = made === undefined || made.done === true ? undefined : partOf(made.value);
    if (part === undefined) streams.delete(key);
    say({ type: "made", call, made: [{ part }] });
  } catch (error) {
    say({ type: "made", call, made: [], failed: madeError(error) });
  }
}

/** The request is done with; what its iterator cleans up is the handler's affair. */
function forget(key: number): void {
  const stream = streams.get(key);
  streams.delete(key);
  requests.delete(key);
  void Promise.resolve(stream?.return?.()).catch(() => undefined);
}

function guarded(work: () => Made): Made {
  try {
    return work();
  } catch (error) {
    return { error: madeError(error) };
  }
}

type Hooks = Extract<ToChild, { readonly type: "preprocess" | "postprocess" | "answer" }>;

async function called(running: Running, message: Hooks): Promise<void> {
  const asked = message.requests.map(({ key, wire }) => {
    const known = requests.get(key) ?? (wire && new HookRequest(wire, log));
    if (known === undefined) throw new Error("a request that is not known");
    requests.set(key, known);
    return { key, request: known };
  });
  const outputs = message.type === "postprocess" ? message.outputs : undefined;
  const { call } = message;
  try {
    const made = await (message.type === "answer" ? whole(running, asked[0]) : hook(running, asked, outputs));
    say({ type: "made", call, made });
  } catch (error) {
    say({ type: "made", call, made: [], failed: madeError(error) });
  }
}

const loaded: { running?: Promise<Running> } = {};
process.on("message", (message: ToChild) => {
  switch (message.type) {
    case "start":
      loaded.running = start(message);
      loaded.running.catch((error: unknown) => {
        say({ type: "failed", message: words(error) });
        process.disconnect();
      });
      return;
    case "ping":
      say({ type: "pong" });
      return;
    case "abort":
      requests.get(message.key)?.abort();
      return;
    case "forget":
      forget(message.key);
      return;
    case "next":
      void next(message);
      return;
    case "inferred":
      inferred(message);
      return;
    case "answer":
    case "preprocess":
    case "postprocess":
      void loaded.running?.then((each) => called(each, message));
  }
});
