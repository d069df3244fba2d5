/** `sconce handler test`: a server of its own with one model, each sample sent to it, each answer held against a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseFlags } from "../config/flags.js";
import { UsageError } from "../config/usage-error.js";
import { fromText } from "../config/values.js";
import { stemOf } from "../archive/unpack.js";
import { isUrl } from "../download/url.js";
import { exitCodes } from "./exit-codes.js";
import { paint, type Terminal } from "./terminal.js";
import { contentTypeOf } from "./predict.js";

const entry = fileURLToPath(new URL("../main.js", import.meta.url));
const ending = ".expected.json";
const defaultTolerance = 1e-4;
const maxSamples = 10_000;

interface Expected {
  readonly status: number;
  readonly body: unknown;
}

interface Options {
  readonly model: string;
  readonly samples: string;
  readonly update: boolean;
  readonly tolerance: number;
  readonly timeoutMs: number;
}

export async function testHandler(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = await optionsOf(words);
  const names = (await readdir(options.samples).catch(() => [])).filter((name) => !name.endsWith(ending)).sort();
  if (names.length === 0)
    throw new UsageError(`${options.samples} holds no samples; a sample is the body of a request`);
  if (names.length > maxSamples) throw new UsageError(`${options.samples} holds more than ${maxSamples} samples`);
  const server = await startServer(options);
  try {
    let wrong = 0;
    for (const name of names) {
      const fault = await check(name, options, server.url);
      if (fault !== undefined) wrong++;
      const mark =
        fault === undefined ? paint(terminal.colorOut, "green", "ok") : paint(terminal.colorOut, "red", "no");
      terminal.out(`${mark} ${name}${fault === undefined ? "" : `: ${fault}`}\n`);
    }
    terminal.out(`${names.length - wrong} of ${names.length} as expected\n`);
    return wrong === 0 ? exitCodes.ok : exitCodes.failure;
  } finally {
    const ended = once(server.child, "exit");
    server.child.kill("SIGTERM");
    await ended;
  }
}

async function optionsOf(words: readonly string[]): Promise<Options> {
  const { values, positionals } = parseFlags(words, [
    { flag: "samples", takes: "value" },
    { flag: "update", takes: "nothing" },
    { flag: "tolerance", takes: "value" },
    { flag: "timeout", takes: "value" },
  ]);
  const [model, more] = positionals;
  if (model === undefined) throw new UsageError("expected MODEL");
  if (more !== undefined) throw new UsageError(`unexpected ${JSON.stringify(more)}`);
  const there = await stat(model).catch(() => undefined);
  if (there === undefined && !isUrl(model)) throw new UsageError(`${model}: no such file or folder`);
  const folder = there?.isDirectory() === true;
  const samples = values.get("samples") ?? (folder ? join(model, "samples") : undefined);
  if (samples === undefined) throw new UsageError("--samples is needed where MODEL is no folder");
  const tolerance = Number(values.get("tolerance") ?? defaultTolerance);
  if (!(tolerance >= 0)) throw new UsageError(`--tolerance must be a number of at least 0`);
  const timeout = { type: "duration", minMs: 1, maxMs: 86_400_000 } as const;
  const timeoutMs = fromText(timeout, values.get("timeout") ?? "120s");
  if (typeof timeoutMs !== "number") throw new UsageError("--timeout must be a time, such as 30s");
  return { model, samples, update: values.get("update") === "true", tolerance, timeoutMs };
}

interface Server {
  readonly child: ChildProcess;
  /** Predictions of the model. */
  readonly url: string;
}

function startServer({ model, timeoutMs }: Options): Promise<Server> {
  const ports = ["port", "management-port", "metrics-port"].flatMap((name) => [`--${name}`, "0"]);
  const words = [entry, "serve", `handler-test=${model}`, ...ports, "--log-level", "warn", "--access-log", "off"];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let told = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new UsageError(`the model was not loaded within ${timeoutMs} ms (--timeout)`));
    }, timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      told += text;
      const [, url] = /^sconce ready: inference (\S+)/m.exec(told) ?? [];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve({ child, url: `${url}/predictions/handler-test` });
    });
    child.once("exit", () => {
      clearTimeout(timer);
      reject(new UsageError(`${stemOf(model)} does not load; the reason stands above`));
    });
  });
}

/** What is wrong with the answer; undefined: nothing. */
async function check(name: string, options: Options, url: string): Promise<string | undefined> {
  const path = join(options.samples, name);
  const file = join(options.samples, `${basename(name, extname(name))}${ending}`);
  const type = contentTypeOf(name);
  const headers = type === undefined ? {} : { "content-type": type };
  const answer = await fetch(url, { method: "POST", body: await readFile(path), headers });
  const found: Expected = { status: answer.status, body: bodyOf(await answer.text()) };
  if (options.update) {
    await writeFile(file, `${JSON.stringify(found, undefined, 2)}\n`);
    return undefined;
  }
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    return `there is no ${basename(file)}; --update writes this answer: ${found.status} ${shown(found.body)}`;
  }
  return difference(JSON.parse(text) as Expected, found, options.tolerance, "answer");
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Where two values differ first; numbers may be off by `tolerance`, absolutely or by their size. Pure. */
export function difference(expected: unknown, found: unknown, tolerance: number, place: string): string | undefined {
  if (typeof expected === "number" && typeof found === "number") {
    const near = Math.abs(expected - found) <= tolerance * Math.max(1, Math.abs(expected));
    return near ? undefined : `${place} is ${found}, expected ${expected}`;
  }
  const objects = [expected, found].every((each) => typeof each === "object" && each !== null);
  if (!objects || Array.isArray(expected) !== Array.isArray(found)) {
    return expected === found ? undefined : `${place} is ${shown(found)}, expected ${shown(expected)}`;
  }
  const [wanted, got] = [expected, found] as readonly Readonly<Record<string, unknown>>[];
  for (const key of new Set([...Object.keys(wanted ?? {}), ...Object.keys(got ?? {})])) {
    const wrong = difference(wanted?.[key], got?.[key], tolerance, `${place}.${key}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const shownChars = 200;

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, shownChars);
}
