/** `sconce status`: how a running server and each of its versions do, from its management and metrics ports. */
import { setTimeout as pause } from "node:timers/promises";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { optionRows } from "../config/options.js";
import { UsageError } from "../config/usage-error.js";
import { parseDuration } from "../config/values.js";
import { type Ask, clientFlags, createClient, portIn, reasonOf, Refused, timeoutOf, Unreachable } from "./client.js";
import { exitCodes } from "./exit-codes.js";
import { everyVersion } from "./models.js";
import { parseMetrics, Scrape } from "./scrape.js";
import { type DescribedVersion, type ServerStatus, statusOf, statusText } from "./status-view.js";
import { paint, type Terminal } from "./terminal.js";

export const observeFlags: readonly FlagShape[] = [
  ...clientFlags,
  { flag: "metrics-url", takes: "value" },
  { flag: "interval", takes: "value" },
];

const defaultInterval = "1s";

/** What a look at a server gives; the bundle keeps all of it. */
export interface Look {
  readonly status: ServerStatus;
  readonly described: readonly unknown[];
  /** The metrics port's text. */
  readonly metrics: string;
}

export async function status(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, [...observeFlags, { flag: "json", takes: "nothing" }]);
  if (positionals.length > 0) throw new UsageError(`unexpected ${JSON.stringify(positionals[0])}`);
  try {
    const look = await lookAt(values, terminal);
    const json = values.get("json") === "true";
    terminal.out(json ? `${JSON.stringify(look.status, null, 2)}\n` : statusText(look.status, terminal));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof Unreachable) && !(error instanceof Refused)) throw error;
    terminal.err(`${paint(terminal.colorErr, "red", "sconce:")} ${error.message}\n`);
    return error instanceof Unreachable ? exitCodes.unreachable : exitCodes.failure;
  }
}

/** Takes as long as --interval. Rejects with Unreachable or Refused. */
export async function lookAt(values: ReadonlyMap<string, string>, terminal: Terminal): Promise<Look> {
  const interval = values.get("interval") ?? defaultInterval;
  const intervalMs = parseDuration(interval);
  if (intervalMs === undefined || intervalMs === 0)
    throw new UsageError(`--interval: ${JSON.stringify(interval)} is no time`);
  const ask = createClient({ values, terminal, kind: "management" });
  const scrape = scraper(values, terminal);
  const before = await scrape();
  const startedAt = performance.now();
  await pause(intervalMs);
  const [described, health] = [await everyVersion(ask), await healthOf(ask)];
  const metrics = await scrape();
  const seconds = (performance.now() - startedAt) / 1000;
  const observed = { before: new Scrape(parseMetrics(before)), now: new Scrape(parseMetrics(metrics)), seconds };
  const shown = { ...observed, health, described: described as readonly DescribedVersion[], at: Date.now() };
  return { status: statusOf(shown), described, metrics };
}

function scraper(values: ReadonlyMap<string, string>, { env }: Terminal): () => Promise<string> {
  const host = env["SCONCE_METRICS_HOST"] ?? "127.0.0.1";
  const port = portIn(env, optionRows.metricsPort);
  const base = values.get("metrics-url") ?? `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(base)) throw new UsageError(`--metrics-url: ${JSON.stringify(base)} is no address`);
  const url = `${base.replace(/\/+$/, "")}/metrics`;
  return async () => {
    let answer: Response;
    try {
      answer = await fetch(url, { signal: AbortSignal.timeout(timeoutOf(values)), redirect: "error" });
    } catch (error) {
      throw new Unreachable(`${url}: ${reasonOf(error)}; is it the metrics port (--metrics-url)?`);
    }
    const text = await answer.text();
    if (!answer.ok) throw new Refused(answer.status, "", `${url}: HTTP ${answer.status}`);
    return text;
  };
}

/** A server that is not ready answers with an error status and the same body. */
async function healthOf(ask: Ask): Promise<string> {
  try {
    return wordOf((await ask("GET", "/ping")).body);
  } catch (error) {
    if (!(error instanceof Refused) || error.status < 500) throw error;
    try {
      return wordOf(JSON.parse(error.message));
    } catch {
      return `HTTP ${error.status}`;
    }
  }
}

function wordOf(body: unknown): string {
  const word = (body as { readonly status?: unknown } | null | undefined)?.status;
  return typeof word === "string" ? word : "unknown";
}
