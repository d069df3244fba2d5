/** Requests of which every third goes wrong: exactly those fail, with their status, and nothing grows. */
import { expect } from "vitest";
import { full } from "../full.js";
import type { Answer } from "./client.js";
import { rssKib } from "./server.js";

export interface EveryThird {
  readonly good: () => Promise<Answer>;
  /** The nth fault, from 0. */
  readonly bad: (nth: number) => Promise<Answer>;
  /** Of each bad one. */
  readonly status: number;
  /** Processes that must not grow. */
  readonly pids: readonly number[];
}

/** `long` requests as a bar, else `short`; 20 at a time. */
export async function everyThird({ good, bad, status, pids }: EveryThird, short: number, long = 10_000): Promise<void> {
  const count = full ? long : short;
  const atOnce = 20;
  const memory = (): number => pids.reduce((sum, pid) => sum + rssKib(pid), 0);
  const statuses: number[] = [];
  let settled = 0;
  for (let sent = 0; sent < count; sent += atOnce) {
    const indexes = Array.from({ length: Math.min(atOnce, count - sent) }, (_, i) => sent + i);
    const asked = indexes.map((index) => (index % 3 === 2 ? bad(Math.floor(index / 3)) : good()));
    statuses.push(...(await Promise.all(asked)).map((answer) => answer.status));
    if (settled === 0 && sent >= count / 2) settled = memory();
  }
  expect(statuses).toEqual(statuses.map((_, index) => (index % 3 === 2 ? status : 200)));
  const grownKib = memory() - settled;
  if (full) console.log(`${count} requests, ${pids.length} processes grew by ${grownKib} KiB in the second half`);
  expect(grownKib).toBeLessThan(maxGrownKib);
}

const maxGrownKib = 64 * 1024;
