/**
 * Resident memory is flat in the second half of a time of load, and the same check catches a model that leaks.
 * `SCONCE_LEAK_SECONDS` sets the length (at least 20).
 */
import { expect, test } from "vitest";
import { drive, requestBytes } from "../e2e/client.js";
import { ledgerFault, ledgerInput } from "../e2e/ledger.js";
import { models, Server } from "../e2e/server.js";
import { growthOf, leastGrowth, watchMemory, type MemorySample } from "./growth.js";

const seconds = Math.max(20, Number(process.env["SCONCE_LEAK_SECONDS"] ?? 30));

/** The model that leaks does so by hundreds of megabytes a second: little time and few connections, or it fills the machine. */
const leaky = { seconds: 2, connections: 2 };

/** Where V8's heap has not settled in the first window, another one is looked at, this many in all. */
const windows = 3;

const sampleEveryMs = 100;

/**
 * 256 KiB per second: some 20 bytes a request at the rates that this client reaches. One lost 64-byte object per request
 * is several times over it; allocator noise and V8's heap settle far below it in the first half.
 */
const limitKibPerSecond = 256;

interface Load {
  readonly model: string;
  readonly seconds: number;
  readonly connections: number;
  readonly body: (index: number) => string;
  /** What is wrong with an answer's body, if anything. */
  readonly check: (index: number, body: Buffer) => string | undefined;
}

/** One window of load on a running server: every answer is checked, memory is looked at every `sampleEveryMs`. */
async function underLoad(server: Server, load: Load): Promise<MemorySample[]> {
  const until = Date.now() + load.seconds * 1000;
  const headers = { "content-type": "application/json" };
  const path = `/predictions/${load.model}`;
  const driving = drive({
    port: server.port,
    connections: load.connections,
    count: Number.MAX_SAFE_INTEGER,
    request: (index) => (Date.now() < until ? requestBytes({ path, headers, body: load.body(index) }) : undefined),
    check: (index, answer) => (answer.status === 200 ? load.check(index, answer.body) : `status ${answer.status}`),
  });
  const samples = await watchMemory(() => server.rssKib(), sampleEveryMs, driving);
  const tally = await driving;
  expect(tally.wrong.slice(0, 3)).toEqual([]);
  expect(tally.unanswered).toEqual([]);
  console.log(
    `${load.model}: ${tally.right} requests in ${load.seconds} s; ${samples[0]?.kib ?? 0} KiB at the start, ` +
      `${samples.at(-1)?.kib ?? 0} at the end; ${growthOf(samples).kibPerSecond.toFixed(1)} KiB/s in the second half ` +
      `(limit ${limitKibPerSecond})`,
  );
  return samples;
}

async function growthUnderLoad(load: Load): Promise<number> {
  const server = await Server.start([`${models}${load.model}.pt`]);
  const kibPerSecond = await leastGrowth(limitKibPerSecond, windows, () => underLoad(server, load));
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  return kibPerSecond;
}

test("resident memory is flat under load", async () => {
  const body = (index: number): string => JSON.stringify(ledgerInput(index));
  const kibPerSecond = await growthUnderLoad({ model: "ledger", seconds, connections: 32, body, check: ledgerFault });
  expect(kibPerSecond).toBeLessThan(limitKibPerSecond);
});

test("the check fails on a model that keeps 64 KiB a call", async () => {
  const body = (index: number): string => `[${index % 7},1,2,3]`;
  const kibPerSecond = await growthUnderLoad({ model: "leaky", ...leaky, body, check: () => undefined });
  expect(kibPerSecond).toBeGreaterThan(limitKibPerSecond);
});
