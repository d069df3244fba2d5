/** 1,000 load, predict, unload cycles of one model leave memory where it was; models that stay loaded are noticed. */
import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { InputFormat, openEngineForTest, OutputFormat, type OpenEngine } from "./engine.js";
import { ledgerFault, ledgerInput } from "../e2e/ledger.js";
import { rssKib } from "../e2e/server.js";
import { growthOf, leastGrowth, type MemorySample } from "./growth.js";

const cycles = 1000;

/** Where memory has not settled in them, half as many more are looked at; this many looks in all. */
const windows = 4;

/** A ledger module is 24 KB on disk; a cycle that keeps it, or a thread's stack, is far over this. */
const limitKibPerCycle = 2;

let opened: OpenEngine | undefined;
afterAll(() => opened?.channel.close());

function engine(): OpenEngine {
  opened ??= openEngineForTest();
  return opened;
}

function predictOnce({ channel, results }: OpenEngine, name: string, index: number): Promise<string> {
  const answer = new Promise<string>((resolve) => results.set(index, resolve));
  const body = Buffer.from(JSON.stringify(ledgerInput(index)));
  const submitted = channel.infer(index, channel.nameId(name), "", body, InputFormat.json, OutputFormat.json, 10_000);
  if (submitted < 0) throw new Error(channel.lastError());
  opened?.flush();
  return answer;
}

/** Memory before each cycle; "seconds" are cycles here. */
async function run(count: number, keep: boolean, name: (index: number) => string): Promise<MemorySample[]> {
  const { api, spec } = engine();
  const samples: MemorySample[] = [];
  for (let index = 0; index < count; index++) {
    if (index % 10 === 0) samples.push({ seconds: index, kib: rssKib(process.pid) });
    const loadId = `cycle-${name(index)}-${index}`;
    await api.load(spec(name(index)), loadId);
    api.publish(loadId);
    expect(ledgerFault(index, Buffer.from(await predictOnce(engine(), name(index), index)))).toBeUndefined();
    if (!keep) expect(await api.remove(name(index), "1.0", 10_000)).toBe(true);
  }
  return samples;
}

test("1,000 cycles of loading and unloading do not grow", async () => {
  const kibPerCycle = await leastGrowth(limitKibPerCycle, windows, async (window) => {
    const samples = await run(window === 0 ? cycles : cycles / 2, false, () => "cycled");
    console.log(
      `cycles: ${samples[0]?.kib ?? 0} KiB before, ${samples.at(-1)?.kib ?? 0} after; ` +
        `${growthOf(samples).kibPerSecond.toFixed(2)} KiB a cycle in the second half (limit ${limitKibPerCycle})`,
    );
    return samples;
  });
  expect(kibPerCycle).toBeLessThan(limitKibPerCycle);
  const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  expect(threads).toBeLessThan(100);
});

test("the check fails when models stay loaded", async () => {
  const kibPerCycle = await leastGrowth(limitKibPerCycle, windows, (window) =>
    run(80, true, (index) => `kept${window}-${index}`),
  );
  expect(kibPerCycle).toBeGreaterThan(limitKibPerCycle);
});
