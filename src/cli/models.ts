/**
 * `sconce models …`: lists and changes the models of a running server through its management port. Tables for people,
 * --json for scripts, exit codes for both.
 */
import { resolve } from "node:path";
import { existsSync } from "node:fs";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { clientFlags, createClient, Refused, Unreachable, type Ask } from "./client.js";
import { exitCodes } from "./exit-codes.js";
import { modelTable, modelText, type Described } from "./models-view.js";
import { paint, type Terminal } from "./terminal.js";

const value = (flag: string): FlagShape => ({ flag, takes: "value" });
const nothing = (flag: string): FlagShape => ({ flag, takes: "nothing" });

/** Flags of `register` → parameters of the API. */
const registerParameters: Readonly<Record<string, string>> = {
  name: "model_name",
  handler: "handler",
  "batch-size": "batch_size",
  "max-batch-delay": "max_batch_delay",
  "response-timeout": "response_timeout",
  workers: "initial_workers",
};

interface Call {
  readonly ask: Ask;
  readonly values: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  readonly json: boolean;
  readonly terminal: Terminal;
}

interface Command {
  readonly flags: readonly FlagShape[];
  readonly run: (call: Call) => Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
  list: { flags: [], run: list },
  describe: { flags: [], run: describe },
  register: { flags: [...Object.keys(registerParameters).map(value), nothing("wait")], run: register },
  scale: { flags: [value("max"), nothing("wait")], run: scale },
  default: { flags: [nothing("force")], run: setDefault },
  unregister: { flags: [], run: unregister },
  rollback: { flags: [], run: rollback },
  "log-level": { flags: [], run: logLevel },
};

export async function models(words: readonly string[], terminal: Terminal): Promise<number> {
  const [name = "", ...rest] = words;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const names = Object.keys(commands);
    throw new UsageError(`models takes ${names.join(", ")}${name === "" ? "" : didYouMean(name, names)}`);
  }
  const { values, positionals } = parseFlags(rest, [...clientFlags, nothing("json"), ...command.flags]);
  const ask = createClient({ values, terminal, kind: "management" });
  try {
    return await command.run({ ask, values, positionals, json: values.get("json") === "true", terminal });
  } catch (error) {
    return explain(error, terminal);
  }
}

function explain(error: unknown, terminal: Terminal): number {
  if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
  terminal.err(`${paint(terminal.colorErr, "red", "sconce:")} ${error.message}\n`);
  if (error instanceof Unreachable) return exitCodes.unreachable;
  if (error.type === "InvalidKeyException") {
    terminal.err("The server wants its management key: --token, SCONCE_TOKEN, or --key-file.\n");
  }
  if (error.type === "IncompatibleVersionException") terminal.err("sconce models default --force does it.\n");
  if (error.type === "InvalidModelException") return exitCodes.model;
  return error.status === 404 ? exitCodes.missing : exitCodes.failure;
}

/** NAME or NAME/VERSION, as the path below /models. */
function modelPath(word: string | undefined, rest: readonly string[], takes: string): string {
  const [name = "", version, ...more] = (word ?? "").split("/");
  if (name === "" || version === "" || more.length > 0 || rest.length > 0) throw new UsageError(takes);
  return `/models/${[name, ...(version === undefined ? [] : [version])].map(encodeURIComponent).join("/")}`;
}

interface Page {
  readonly nextPageToken?: string;
  readonly models: readonly { readonly modelName: string; readonly modelUrl: string }[];
}

/** Every version of every model; one that goes meanwhile is left out. */
export async function everyVersion(ask: Ask): Promise<readonly Described[]> {
  const names: string[] = [];
  for (let token: string | undefined = "0"; token !== undefined;) {
    const page: Page = (await ask("GET", "/models", { limit: "100", next_page_token: token })).body as Page;
    names.push(...page.models.map((each) => each.modelName));
    token = page.models.length === 0 ? undefined : page.nextPageToken;
  }
  const found: Described[] = [];
  for (const name of names) {
    try {
      found.push(...((await ask("GET", `/models/${encodeURIComponent(name)}/all`)).body as Described[]));
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
    }
  }
  return found;
}

async function list({ ask, positionals, json, terminal }: Call): Promise<number> {
  if (positionals.length > 0) throw new UsageError(`models list takes no ${JSON.stringify(positionals[0])}`);
  const found = await everyVersion(ask);
  if (json) terminal.out(`${JSON.stringify(found, null, 2)}\n`);
  else if (found.length === 0) terminal.err("no models\n");
  else terminal.out(modelTable(found, terminal));
  return exitCodes.ok;
}

async function describe({ ask, positionals: [word, ...rest], json, terminal }: Call): Promise<number> {
  const path = modelPath(word, rest, "models describe takes NAME, NAME/VERSION or NAME/all");
  const { body } = await ask("GET", path);
  if (json) terminal.out(`${JSON.stringify(body, null, 2)}\n`);
  else terminal.out((body as Described[]).map((each) => modelText(each, terminal)).join("\n"));
  return exitCodes.ok;
}

/** Says what the server said. */
function said({ json, terminal }: Call, body: unknown): number {
  const { status } = (body ?? {}) as { readonly status?: string };
  terminal.out(json ? `${JSON.stringify(body)}\n` : `${status ?? "done"}\n`);
  return exitCodes.ok;
}

async function register(call: Call): Promise<number> {
  const { ask, values, positionals } = call;
  const [url, ...rest] = positionals;
  if (url === undefined || rest.length > 0)
    throw new UsageError("models register takes one archive of the model store");
  const wait = values.get("wait") !== "false";
  const given = Object.entries(registerParameters).map(([flag, parameter]) => [parameter, values.get(flag)]);
  const parameters = Object.fromEntries(given) as Record<string, string | undefined>;
  // TorchServe's default of none would register a model that answers nothing.
  parameters["initial_workers"] ??= "1";
  const asked = ask("POST", "/models", { url, ...parameters, synchronous: String(wait) });
  if (wait) await watch(call, url, asked);
  try {
    return said(call, (await asked).body);
  } catch (error) {
    throw withHint(error, url);
  }
}

/** A file that is here is often not in the store. */
function withHint(error: unknown, url: string): unknown {
  if (!(error instanceof Refused) || error.status !== 404 || !existsSync(url)) return error;
  const hint = `${resolve(url)} is here, but models are registered from the server's --model-store`;
  return new Refused(error.status, error.type, `${error.message} (${hint})`);
}

const watchMs = 250;

/** While a registration is under way: each phase of the load, on standard error. */
async function watch({ ask, terminal, json }: Call, url: string, asked: Promise<unknown>): Promise<void> {
  const state = { over: false };
  const settle = (): void => void (state.over = true);
  const end = asked.then(settle, settle);
  const pause = (): Promise<unknown> => Promise.race([end, new Promise((wake) => setTimeout(wake, watchMs).unref())]);
  let before = "";
  for (await pause(); !state.over && !json; await pause()) {
    const found = await everyVersion(ask).catch(() => []);
    const model = found.find((each) => each.modelUrl === url && each.sconce?.state === "loading");
    const phase = model?.sconce?.phase ?? "";
    if (model === undefined || phase === before) continue;
    before = phase;
    const seconds = (model.sconce?.loadSeconds ?? 0).toFixed(1);
    terminal.err(
      `${paint(terminal.colorErr, "dim", `${model.modelName} ${model.modelVersion}: ${phase} (${seconds} s)`)}\n`,
    );
  }
}

async function scale(call: Call): Promise<number> {
  const { ask, values, positionals } = call;
  const [word, count, ...rest] = positionals;
  const takes = "models scale takes NAME or NAME/VERSION, and a number of workers";
  const path = modelPath(word, rest, takes);
  if (count === undefined || !/^\d{1,4}$/.test(count)) throw new UsageError(takes);
  const wait = values.get("wait") !== "false";
  const query = { min_worker: count, max_worker: values.get("max"), synchronous: String(wait) };
  return said(call, (await ask("PUT", path, query)).body);
}

async function setDefault(call: Call): Promise<number> {
  const [word, ...rest] = call.positionals;
  const takes = "models default takes NAME/VERSION";
  if (word?.includes("/") !== true) throw new UsageError(takes);
  const query = call.values.get("force") === "true" ? { force: "true" } : {};
  const { body } = await call.ask("PUT", `${modelPath(word, rest, takes)}/set-default`, query);
  const { differences = [] } = (body ?? {}) as { readonly differences?: readonly string[] };
  if (!call.json) for (const each of differences) call.terminal.err(`differs: ${each}\n`);
  return said(call, body);
}

async function unregister(call: Call): Promise<number> {
  const [word, ...rest] = call.positionals;
  const path = modelPath(word, rest, "models unregister takes NAME or NAME/VERSION");
  return said(call, (await call.ask("DELETE", path)).body);
}

async function rollback(call: Call): Promise<number> {
  const [word, ...rest] = call.positionals;
  const takes = "models rollback takes NAME";
  if (word?.includes("/") === true) throw new UsageError(takes);
  return said(call, (await call.ask("POST", `${modelPath(word, rest, takes)}/rollback`)).body);
}

async function logLevel(call: Call): Promise<number> {
  const [word, level, ...rest] = call.positionals;
  const takes = "models log-level takes NAME and debug, info, warn, error or default";
  if (word?.includes("/") === true || level === undefined) throw new UsageError(takes);
  return said(call, (await call.ask("POST", `${modelPath(word, rest, takes)}/log-level`, { level })).body);
}
