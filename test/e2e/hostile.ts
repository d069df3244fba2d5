/** What every hostile case ends with: an error body in order, and a server that still answers correctly. */
import { expect } from "vitest";
import { call, type Answer, type RequestParts } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { errorOf, type Server } from "./server.js";

/** A status and words that the message must have (a string: as is; a RegExp: matched). */
export interface Expected {
  readonly status: number;
  readonly says?: readonly (string | RegExp)[];
}

export function expectError(answer: Answer | undefined, expected: Expected): void {
  expect(answer, "closed without an answer").toBeDefined();
  if (answer === undefined) return;
  expect(answer.status, answer.body.toString("utf8").slice(0, 300)).toBe(expected.status);
  const { message } = errorOf(answer);
  for (const words of expected.says ?? []) {
    if (typeof words === "string") expect(message).toContain(words);
    else expect(message).toMatch(words);
  }
}

/** Sends a correct HTTP request with a bad content and checks the error, then the server. */
export async function refuses(server: Server, parts: RequestParts, expected: Expected): Promise<void> {
  expectError(await call(server.port, parts), expected);
  await stillServes(server);
}

let probes = 0;

/** The server is live, healthy, and right about a sample it has not seen before. Needs the ledger model. */
export async function stillServes(server: Server): Promise<void> {
  const index = ++probes * 7919;
  const body = JSON.stringify(ledgerInput(index));
  const [answer, ping, live] = await Promise.all([
    call(server.port, { path: "/predictions/ledger", body }, 10_000),
    call(server.port, { path: "/ping" }, 10_000),
    call(server.port, { path: "/v2/health/live" }, 10_000),
  ]);
  expect([answer.status, ping.status, live.status]).toEqual([200, 200, 200]);
  expect(ledgerFault(index, answer.body)).toBeUndefined();
}
