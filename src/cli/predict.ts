/** `sconce predict`: one file to a running server; the answer's bytes go to standard output as they come. */
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { parseFlags } from "../config/flags.js";
import { UsageError } from "../config/usage-error.js";
import { authorization, baseUrl, clientFlags, reasonOf, refusalOf, timeoutOf } from "./client.js";
import { exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

const shapes = [...clientFlags, ...["content-type", "accept"].map((flag) => ({ flag, takes: "value" as const }))];

/** Only endings that cannot mean two things; the server reads the rest by its first bytes. */
const typeByEnding: Readonly<Record<string, string>> = {
  ".json": "application/json",
  ".npy": "application/x-npy",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".bin": "application/octet-stream",
  ".raw": "application/octet-stream",
};

export function contentTypeOf(file: string): string | undefined {
  return typeByEnding[extname(file).toLowerCase()];
}

/** "digits" or "digits/2.0" below `base`. */
export function predictionUrl(base: string, model: string): URL {
  if (!URL.canParse(base))
    throw new UsageError(`--url: ${JSON.stringify(base)} is no address; expected one like http://127.0.0.1:8080`);
  const [name = "", version, ...rest] = model.split("/");
  if (name === "" || rest.length > 0) throw new UsageError(`${JSON.stringify(model)}: expected NAME or NAME/VERSION`);
  const path = [name, ...(version === undefined ? [] : [version])].map(encodeURIComponent).join("/");
  return new URL(`${base.replace(/\/+$/, "")}/predictions/${path}`);
}

export async function predict(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, shapes);
  const [model, file, ...rest] = positionals;
  if (model === undefined || file === undefined || rest.length > 0) {
    throw new UsageError("predict takes a model's name and a file (- for standard input)");
  }
  const timeoutMs = timeoutOf(values);
  const client = { values, terminal, kind: "inference" } as const;
  const base = baseUrl(client);
  const url = predictionUrl(base, model);
  const body = file === "-" ? await readInput() : await readFile(file);
  const type = values.get("content-type") ?? contentTypeOf(file);
  const accept = values.get("accept");
  const headers = {
    ...authorization(client, base),
    ...(type === undefined ? {} : { "content-type": type }),
    ...(accept === undefined ? {} : { accept }),
  };
  let answer: Response;
  try {
    answer = await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    terminal.err(`sconce: ${url.href}: ${reasonOf(error)}; is the server running (sconce serve …)?\n`);
    return exitCodes.failure;
  }
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok) {
    const { message } = refusalOf(answer.status, bytes.toString("utf8"));
    terminal.err(`sconce: HTTP ${answer.status}: ${message}\n`);
    return exitCodes.failure;
  }
  const text = /json|text/.test(answer.headers.get("content-type") ?? "json");
  if (text) terminal.out(`${bytes.toString("utf8").trimEnd()}\n`);
  else process.stdout.write(bytes);
  return exitCodes.ok;
}

async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
