/** What engines count of requests and tell of batches beside answering them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type BatchTimes,
  type Channel,
  type Engine,
  InputFormat,
  OutputFormat,
  unnamed,
} from "../../src/engine/engine.js";
import { openFakeEngine } from "../../src/engine/fake.js";
import { openEngine } from "../../src/engine/native.js";
import { type Kind, specOf } from "./specs.js";

const options = {
  ...{ cores: 2, loadParallelism: 1, latencyBuckets: [0.001, 0.1], maxDecodedBytes: 1 << 20 },
  logBatches: true,
};

interface Ask {
  readonly name: Kind;
  readonly body?: string;
  readonly version?: string;
  readonly output?: OutputFormat;
}

describe.each([
  ["fake", () => openFakeEngine()],
  ["native", () => openEngine(options)],
] as const)("the %s engine", (kind, open) => {
  let engine: Engine;
  let channel: Channel;
  const done = new Map<number, unknown>();
  const sink = (cookie: number, _code: number, _model: string, _body: unknown, tensors: unknown): void =>
    void done.set(cookie, tensors);
  beforeAll(async () => {
    engine = open();
    channel = engine.openChannel(() => channel.drain(sink));
    for (const name of ["echo", "sum", "raise", "slow"] as const) {
      await engine.load(specOf(name, name === "slow" ? { executor: "lane" } : {}), name);
      engine.publish(name);
    }
  });
  afterAll(() => channel.close());

  /** All in one turn; what each answer has of tensors. */
  async function ask(...asks: readonly Ask[]): Promise<readonly unknown[]> {
    done.clear();
    asks.forEach(({ name, body = "[1, 2, 3, 4]", version = "", output = OutputFormat.json }, cookie) => {
      const bytes = Buffer.from(body);
      channel.infer(cookie, channel.nameId(name), version, bytes, InputFormat.json, output, 0);
    });
    channel.flush(sink);
    await expect.poll(() => done.size, { timeout: 20_000 }).toBe(asks.length);
    return asks.map((_, cookie) => done.get(cookie));
  }

  test("counts apart whose client named the version, and not those for which the server chose it", async () => {
    const named = () => engine.stats().find((each) => each.name === "sum")?.named;
    await ask({ name: "sum" });
    const chosen = { name: "sum", version: "1.0", output: unnamed(OutputFormat.tensors) } as const;
    expect(await ask(chosen)).toMatchObject([[{ dtype: "float32" }]]);
    expect(named()).toEqual({ requests: 0, requestSeconds: 0, queueSeconds: 0 });
    await ask({ name: "sum", version: "1.0" });
    expect(named()?.requests).toBe(1);
    if (kind === "native") expect(named()?.requestSeconds).toBeGreaterThan(0);
  });

  test.runIf(kind === "native")("tells of each batch once, with the wait of each of its requests", async () => {
    const taken = async (): Promise<readonly BatchTimes[]> => {
      // A batch is told of right after it was answered.
      for (;;) {
        const batches = engine.takeBatches?.().batches ?? [];
        if (batches.length > 0) return batches;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    await taken();
    await ask({ name: "echo" }, { name: "echo" });
    const batches = await taken();
    expect(batches.flatMap(({ name, waitsMs }) => waitsMs.map(() => name))).toEqual(["echo", "echo"]);
    for (const { runMs, outsideMs, waitsMs, at } of batches) {
      for (const each of [runMs ?? 0, outsideMs, ...waitsMs]) expect(each).toBeGreaterThan(0);
      expect(Math.abs(Date.now() / 1000 - at)).toBeLessThan(60);
    }
    await ask({ name: "slow" });
    expect((await taken()).map(({ name }) => name)).toEqual(["slow"]);
    await ask({ name: "raise", body: "[1, -2, 3, 4]" });
    expect(await taken()).toMatchObject([{ name: "raise", waitsMs: [] }]);
    expect(engine.takeBatches?.()).toEqual({ batches: [], leftOut: 0 });
  });
});
