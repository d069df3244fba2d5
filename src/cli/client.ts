/** Requests to a running server, for the commands that make them: where it is, with which key, and what went wrong. */
import { defaultKeyFile, readKeyFile } from "../auth/key-file.js";
import { type Environment, secretOf, variableOf } from "../config/environment.js";
import { hostedSettings } from "../config/hosting.js";
import type { FlagShape } from "../config/flags.js";
import { type OptionRow, optionRows } from "../config/options.js";
import { isLoopback } from "../config/resolve.js";
import { readTextFile } from "../config/text-file.js";
import { UsageError } from "../config/usage-error.js";
import { parseDuration } from "../config/values.js";
import type { Terminal } from "./terminal.js";

export const clientFlags: readonly FlagShape[] = ["url", "token", "key-file", "timeout"].map((flag) => ({
  flag,
  takes: "value" as const,
}));

export const clientFlagHelp: readonly (readonly [string, string])[] = [
  [
    "--token KEY",
    "The key to send. Default: SCONCE_TOKEN, or what the file SCONCE_TOKEN_FILE holds; else the key file's.",
  ],
  ["--key-file FILE", "Where the key is read. Default: SCONCE_KEY_FILE; for a server on this machine ./key_file.json."],
];

/** The server could not be asked. */
export class Unreachable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Unreachable";
  }
}

/** The server said no. */
export class Refused extends Error {
  readonly status: number;
  /** TorchServe's word for the kind of error; "" when the answer was no error body. */
  readonly type: string;
  constructor(status: number, type: string, message: string) {
    super(message);
    this.name = "Refused";
    this.status = status;
    this.type = type;
  }
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface ClientOptions {
  readonly values: ReadonlyMap<string, string>;
  readonly terminal: Terminal;
  readonly kind: "management" | "inference";
}

/** The port that a server started with this environment has, as text. */
export function portIn(env: Environment, row: OptionRow): string {
  const fallback = hostedSettings(env).get(row)?.value ?? row.fallback;
  return env[variableOf(env, row) ?? ""] ?? (typeof fallback === "number" ? String(fallback) : "");
}

/** A server's address: --url, else what SCONCE_… variables say, else TorchServe's on this machine. */
export function baseUrl({ values, terminal: { env }, kind }: ClientOptions): string {
  const given = values.get("url");
  const [host, port] =
    kind === "management"
      ? (["SCONCE_MANAGEMENT_HOST", optionRows.managementPort] as const)
      : (["SCONCE_HOST", optionRows.port] as const);
  const name = env[host] ?? "127.0.0.1";
  const number = portIn(env, port);
  const base = given ?? `http://${name.includes(":") ? `[${name}]` : name}:${number}`;
  const fine = URL.canParse(base) && /^https?:$/.test(new URL(base).protocol);
  if (!fine)
    throw new UsageError(`--url: ${JSON.stringify(base)} is no address; expected one like http://127.0.0.1:${number}`);
  return base.replace(/\/+$/, "");
}

/** A key of the working directory goes to this machine only, unless the operator names the file. */
export function authorization(options: ClientOptions, base: string): Readonly<Record<string, string>> {
  const { values, terminal, kind } = options;
  const given = values.get("token") ?? secretOf(terminal.env, "SCONCE_TOKEN", readTextFile)?.value;
  const variable = terminal.env["SCONCE_KEY_FILE"];
  const named = values.get("key-file") ?? (variable === "" ? undefined : variable);
  const path = named ?? (isLoopback(new URL(base).hostname) ? defaultKeyFile : undefined);
  const key = given ?? (path === undefined ? undefined : readKeyFile(path)?.[kind]?.key);
  if (key === undefined) {
    if (named !== undefined) throw new UsageError(`${named} holds no ${kind} key`);
    return {};
  }
  if (!/^[\x21-\x7e]{1,4096}$/.test(key)) throw new UsageError("the key holds a character that no header can have");
  return { authorization: `Bearer ${key}` };
}

const defaultTimeout = "120";

export function timeoutOf(values: ReadonlyMap<string, string>): number {
  const text = values.get("timeout") ?? defaultTimeout;
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new UsageError(`--timeout: ${JSON.stringify(text)} is no time`);
  return ms;
}

export type Ask = (
  method: string,
  path: string,
  query?: Readonly<Record<string, string | undefined>>,
) => Promise<Reply>;

/** Asks for JSON; rejects with Refused for an error, with Unreachable when there was no answer. */
export function createClient(options: ClientOptions): Ask {
  const base = baseUrl(options);
  const headers = authorization(options, base);
  const timeoutMs = timeoutOf(options.values);
  return async (method, path, query = {}) => {
    const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
    const search = given.length === 0 ? "" : `?${new URLSearchParams(Object.fromEntries(given)).toString()}`;
    const signal = AbortSignal.timeout(timeoutMs);
    let status: number;
    let text: string;
    try {
      const answer = await fetch(`${base}${path}${search}`, { method, headers, signal, redirect: "error" });
      status = answer.status;
      text = await answer.text();
    } catch (error) {
      throw new Unreachable(`${base}: ${reasonOf(error)}; is the server running (sconce serve …)?`);
    }
    const body = parsed(text);
    if (status >= 400) throw refusal(status, body, text);
    return { status, body };
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What an answer of 400 or more says, in its own words where it has any. */
export function refusalOf(status: number, text: string): Refused {
  return refusal(status, parsed(text), text);
}

function refusal(status: number, body: unknown, text: string): Refused {
  const { type, message } = (body ?? {}) as { readonly type?: unknown; readonly message?: unknown };
  const words = typeof message === "string" ? message : text.slice(0, 500).trim();
  return new Refused(status, typeof type === "string" ? type : "", words === "" ? `HTTP ${status}` : words);
}

export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
