/** One suite on the fake and on the native engine: what stands above the interface may rely on all of this. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Channel, type Engine, INLINE, InputFormat, OutputFormat, QUEUED } from "../../src/engine/engine.js";
import { openFakeEngine } from "../../src/engine/fake.js";
import { openEngine } from "../../src/engine/native.js";
import { type ErrorCode, errorTable, ServerError } from "../../src/errors.js";
import type { TensorIn } from "../../src/handlers/handler.js";
import { packRows, packTensors } from "../../src/handlers/tensor-frame.js";
import type { ExplainSettings, ModelSpec } from "../../src/types.js";
import { explanation, type Kind, specOf } from "./specs.js";

interface Completion {
  readonly cookie: number;
  readonly code: ErrorCode;
  readonly model: string;
  readonly body: string | ArrayBuffer;
  readonly tensors: unknown;
}

const { json, raw } = InputFormat;
const tensorOf = (values: readonly number[], name?: string): TensorIn => ({
  dtype: "float32",
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
  ...(name === undefined ? {} : { name }),
});
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const codeOf = (number: number): ErrorCode => errorTable[number]!.code;
const textOf = (body: string | ArrayBuffer): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body);
const valueOf = (completion: Completion | undefined): unknown => JSON.parse(textOf(completion!.body));

interface SendOptions {
  readonly version: string;
  readonly output: OutputFormat;
  readonly timeoutMs: number;
}

/** A channel that collects what completes. */
class Client {
  readonly channel: Channel;
  readonly done = new Map<number, Completion>();
  wakes = 0;

  constructor(engine: Engine) {
    this.channel = engine.openChannel(() => {
      this.wakes += 1;
      this.channel.drain(this.sink);
    });
  }

  readonly sink = (cookie: number, code: number, model: string, body: string | ArrayBuffer, tensors: unknown): void => {
    expect(this.done.has(cookie)).toBe(false);
    this.done.set(cookie, { cookie, code: codeOf(code), model, body, tensors });
  };

  send(
    cookie: number,
    name: string,
    text: string,
    { version = "", output = OutputFormat.json, timeoutMs = 0 }: Partial<SendOptions> = {},
  ): number {
    const id = this.channel.nameId(name);
    return this.channel.infer(cookie, id, version, bytes(text), json, output, timeoutMs);
  }

  flush(): void {
    this.channel.flush(this.sink);
  }

  /** Flushes, then waits until `count` requests have completed. */
  async until(count: number): Promise<void> {
    this.flush();
    for (let i = 0; this.done.size < count && i < 4000; ++i) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(this.done.size).toBe(count);
  }

  async predict(name: string, text: string, version = ""): Promise<Completion> {
    const sent = this.send(1, name, text, { version });
    expect([INLINE, QUEUED]).toContain(sent);
    await this.until(1);
    const completion = this.done.get(1)!;
    this.done.clear();
    return completion;
  }
}

const options = { cores: 2, loadParallelism: 1, latencyBuckets: [0.001, 0.01, 0.1, 1], maxDecodedBytes: 1 << 20 };

describe.each([
  ["fake", () => openFakeEngine()],
  ["native", () => openEngine(options)],
] as const)("the %s engine", (_, open) => {
  let engine: Engine;
  let client: Client;
  let loads = 0;

  const publish = async (kind: Kind, changes: Partial<ModelSpec> = {}): Promise<void> => {
    const id = `load-${++loads}`;
    await engine.load(specOf(kind, changes), id);
    engine.publish(id);
  };

  beforeAll(async () => {
    engine = open();
    client = new Client(engine);
    await publish("echo");
    await publish("sum");
    await publish("raise");
    await publish("slow", { executor: "lane", jobQueueSize: 4 });
  });

  afterAll(() => {
    client.channel.close();
  });

  test("says what it runs on", () => {
    expect(engine.info().libtorch).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+/u);
    expect(engine.info().libtorch.startsWith(engine.info().builtAgainst)).toBe(true);
  });

  test("answers with the version's name and the model's numbers", async () => {
    const echo = await client.predict("echo", "[0.25, -1, 3, 1e10]");
    expect(echo).toMatchObject({ code: "ok", model: "echo/1.0" });
    expect(valueOf(echo)).toEqual([0.25, -1, 3, 1e10]);
    expect(valueOf(await client.predict("sum", "[1, 2, 3, 4]"))).toBe(10);
  });

  test("several samples in one request", async () => {
    const done = await client.predict("sum", '{"instances": [[1, 2, 3, 4], [0, 0, 0, 1]]}');
    expect(valueOf(done)).toEqual({ predictions: [10, 1] });
  });

  test("many requests of one turn each get their own answer", async () => {
    const count = 3000;
    let refused = 0;
    for (let i = 0; i < count; ++i) {
      if (client.send(i + 70_000 * (i % 2), "sum", `[${i}, 0, 0, 1]`) < 0) refused += 1;
      if (i % 50 === 49) await client.until(i + 1 - refused);
    }
    await client.until(count - refused);
    expect(refused).toBe(0);
    for (const completion of client.done.values()) {
      expect(valueOf(completion)).toBe((completion.cookie % 70_000) + 1);
    }
    client.done.clear();
  });

  test.each([
    ["unknown name", "nobody", "[1,2,3,4]", "", "model_not_found", /not found/u],
    ["unknown version", "echo", "[1,2,3,4]", "9", "version_not_found", /version: 9 does not exist for model: echo/u],
    ["wrong shape", "echo", "[1,2,3]", "", "bad_request", /\[4\].*\[3\]/u],
    ["no JSON", "echo", "[1,2,", "", "bad_request", /./u],
  ] as const)("refuses: %s", (_case, name, body, version, code, words) => {
    const sent = client.send(5, name, body, { version });
    expect(codeOf(-sent)).toBe(code);
    expect(client.channel.lastError()).toMatch(words);
    client.flush();
    expect(client.done.size).toBe(0);
  });

  test("only the sample that raises fails", async () => {
    client.send(1, "raise", "[1, 2, 3, 4]");
    client.send(2, "raise", "[1, -2, 3, 4]");
    client.send(3, "raise", "[5, 6, 7, 8]");
    await client.until(3);
    expect(client.done.get(2)).toMatchObject({ code: "model_error" });
    expect(textOf(client.done.get(2)!.body)).toContain("negative");
    expect(valueOf(client.done.get(1))).toEqual([1, 2, 3, 4]);
    expect(valueOf(client.done.get(3))).toEqual([5, 6, 7, 8]);
    client.done.clear();
  });

  test("raw octets in and out, from one piece and from several", async () => {
    const sent = Float32Array.of(1.5, -2, 0, 3e-39);
    const id = client.channel.nameId("echo");
    expect(client.channel.infer(1, id, "", sent.buffer, raw, OutputFormat.raw, 0)).toBeGreaterThanOrEqual(0);
    for (const cookie of [2, 99_999_999]) {
      client.channel.bodyAppend(cookie, sent.buffer.slice(0, 7));
      client.channel.bodyAppend(cookie, sent.buffer.slice(7));
      expect(client.channel.bodySize(cookie)).toBe(16);
      expect(client.channel.inferBody(cookie, id, "1.0", raw, OutputFormat.raw, 0)).toBeGreaterThanOrEqual(0);
      expect(client.channel.bodySize(cookie)).toBe(0);
    }
    await client.until(3);
    for (const { body } of client.done.values()) expect(new Float32Array(body as ArrayBuffer)).toEqual(sent);
    client.done.clear();
  });

  test("a gathered body can be taken or dropped", () => {
    client.channel.bodyAppend(7, bytes("ab").buffer as ArrayBuffer);
    client.channel.bodyAppend(7, bytes("c").buffer as ArrayBuffer);
    expect(textOf(client.channel.bodyTake(7))).toBe("abc");
    expect(client.channel.bodySize(7)).toBe(0);
    client.channel.bodyAppend(7, bytes("x").buffer as ArrayBuffer);
    client.channel.bodyDrop(7);
    expect(client.channel.bodySize(7)).toBe(0);
  });

  test("tensors for handlers", async () => {
    client.send(1, "echo", "[1, 2, 3, 4]", { output: OutputFormat.tensors });
    await client.until(1);
    const { body, tensors } = client.done.get(1)!;
    expect(tensors).toEqual([{ dtype: "float32", shape: [4], offset: 0, bytes: 16 }]);
    expect(new Float32Array(body as ArrayBuffer, 0, 4)).toEqual(Float32Array.of(1, 2, 3, 4));
    client.done.clear();
  });

  test("tensors of handlers, by name and in order, inline and on a lane, from one piece and gathered", async () => {
    const { channel } = client;
    const [echo, sum, slow] = ["echo", "sum", "slow"].map((name) => channel.nameId(name)) as [number, number, number];
    const send = (cookie: number, id: number, frame: Uint8Array, output: OutputFormat): number =>
      channel.infer(cookie, id, "", frame, InputFormat.tensors, output, 0);
    expect(send(1, echo, packTensors([tensorOf([1, 2, 3, 4], "x")]), OutputFormat.tensors)).toBeGreaterThanOrEqual(0);
    expect(send(2, sum, packTensors([tensorOf([1, 2, 3, 5])]), OutputFormat.json)).toBeGreaterThanOrEqual(0);
    expect(send(3, slow, packTensors([tensorOf([1, 0, 0, 1])]), OutputFormat.json)).toBe(QUEUED);
    const rows = packRows([[tensorOf([1, 2, 3, 4], "x")], [tensorOf([4, 3, 2, -1], "x")]]);
    expect(send(4, sum, rows, OutputFormat.json)).toBeGreaterThanOrEqual(0);
    expect(send(5, echo, rows, OutputFormat.tensors)).toBeGreaterThanOrEqual(0);
    channel.bodyAppend(6, rows.slice(0, 100).buffer);
    channel.bodyAppend(6, rows.slice(100).buffer);
    expect(channel.inferBody(6, sum, "", InputFormat.tensors, OutputFormat.json, 0)).toBeGreaterThanOrEqual(0);
    await client.until(6);
    const leaf = { dtype: "float32", shape: [4], bytes: 16 };
    expect(client.done.get(1)).toMatchObject({ code: "ok", tensors: [{ ...leaf, offset: 0 }] });
    expect([2, 4, 6].map((cookie) => valueOf(client.done.get(cookie)))).toEqual([
      11,
      { predictions: [10, 8] },
      { predictions: [10, 8] },
    ]);
    expect(client.done.get(3)).toMatchObject({ code: "ok", model: "slow/1.0" });
    const { body, tensors } = client.done.get(5)!;
    expect(tensors).toMatchObject([leaf, leaf]);
    const second = (tensors as { readonly offset: number }[])[1]!;
    expect(Array.from(new Float32Array(body as ArrayBuffer, second.offset, 4))).toEqual([4, 3, 2, -1]);
    client.done.clear();
  });

  test.each([
    ["another shape", packTensors([tensorOf([1, 2, 3], "x")]), /\[4\].*\[3\]/u],
    ["another name", packTensors([tensorOf([1, 2, 3, 4], "y")]), /no input "y"/u],
    ["another dtype", packTensors([{ ...tensorOf([1, 2, 3, 4]), dtype: "int32" }]), /float32.*int32/u],
    ["no frame", bytes("SCTF"), /malformed tensor frame/u],
    ["a frame cut short", packTensors([tensorOf([1, 2, 3, 4])]).slice(0, -1), /malformed tensor frame/u],
  ] as const)("refuses tensors: %s", (_case, frame, words) => {
    const sum = client.channel.nameId("sum");
    const sent = client.channel.infer(5, sum, "", frame, InputFormat.tensors, OutputFormat.json, 0);
    expect(codeOf(-sent)).toBe("bad_request");
    expect(client.channel.lastError()).toMatch(words);
  });

  test("an explanation is queued, of the request it was asked for, and no other", async () => {
    const client = new Client(engine);
    const explain = (cookie: number, name: string, text: string, changes: Partial<ExplainSettings> = {}): number => {
      client.channel.explain(cookie, { ...explanation, ...changes });
      return client.send(cookie, name, text);
    };
    expect(explain(1, "sum", "[1, 2, 3, 4]", { baseline: 0.5 })).toBe(QUEUED);
    client.send(2, "sum", "[1, 2, 3, 4]");
    explain(3, "echo", '{"instances": [[1, 2, 3, 4], [5, 6, 7, 8]]}', { target: [2] });
    client.channel.explain(4, explanation);
    client.send(5, "sum", "[1, 1, 1, 1]");
    expect(explain(6, "sum", "[1, 2]")).toBeLessThan(0);
    client.send(7, "sum", "[1, 1, 1, 1]");
    await client.until(5);
    expect(valueOf(client.done.get(1))).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(valueOf(client.done.get(2))).toBe(10);
    expect(valueOf(client.done.get(3))).toEqual({
      explanations: [
        [0, 0, 3, 0],
        [0, 0, 7, 0],
      ],
    });
    expect(valueOf(client.done.get(5))).toBe(4);
    expect(valueOf(client.done.get(7))).toBe(4);
    client.channel.close();
    expect(client.done.size).toBe(5);
  });

  test("a lane wakes its channel; the queue is bounded; cancelled and late requests say so", async () => {
    const sent = [1, 2, 3, 4, 5, 6, 7, 8].map((cookie) =>
      client.send(cookie, "slow", "[1, 2, 3, 4]", { timeoutMs: cookie === 2 ? 1 : 0 }),
    );
    expect(sent[0]).toBe(QUEUED);
    client.channel.cancel(1);
    client.channel.cancel(3);
    client.channel.cancel(12_345);
    await client.until(sent.filter((each) => each === QUEUED).length);
    expect(client.done.get(2)).toMatchObject({ code: "deadline_exceeded" });
    expect(client.done.get(3)).toMatchObject({ code: "cancelled" });
    expect(client.done.get(4)).toMatchObject({ code: "ok", model: "slow/1.0" });
    expect(client.wakes).toBeGreaterThan(0);
    client.done.clear();
  });

  test("a load that fails says why, and one that was cancelled too", async () => {
    await expect(engine.load(specOf("broken"), "broken")).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringContaining("broken.pt") as string,
    });
    const cancelled = engine.load(specOf("echo"), "cancelled");
    engine.cancelLoad("cancelled");
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
    expect(() => engine.publish("cancelled")).toThrow(ServerError);
  });

  test("load ids and versions are used once", async () => {
    const phases: string[] = [];
    const first = engine.load(specOf("echo"), "twice", (phase) => phases.push(phase));
    await expect(engine.load(specOf("echo"), "twice")).rejects.toMatchObject({ code: "conflict" });
    await expect(first).resolves.toMatchObject({ batchSize: expect.any(Number) as number });
    expect(phases[0]).toBe("load");
    expect(() => engine.publish("twice")).toThrow(/already registered/u);
    for (let i = 0; i < 2; i++) engine.discard("twice");
    expect(() => engine.publish("twice")).toThrow(/no finished load/u);
  });

  test("a version is replaced in one step by what was loaded for it", async () => {
    await Promise.all([publish("echo", { name: "swap" }), engine.load(specOf("sum", { name: "swap" }), "swap")]);
    expect(await engine.replace("swap", 5000)).toBe(true);
    expect(valueOf(await client.predict("swap", "[1,2,3,4]"))).toBe(10);
    await expect(engine.replace("swap", 10)).rejects.toThrow(/no finished load/u);
    await engine.remove("swap", "1.0", 5000);
  });

  test("versions: the first is the default until told otherwise; removal moves the default", async () => {
    await publish("echo", { version: "2.0" });
    expect((await client.predict("echo", "[1,2,3,4]")).model).toBe("echo/1.0");
    expect((await client.predict("echo", "[1,2,3,4]", "2.0")).model).toBe("echo/2.0");
    engine.setDefault("echo", "2.0");
    expect((await client.predict("echo", "[1,2,3,4]")).model).toBe("echo/2.0");
    expect(() => engine.setDefault("echo", "3.0")).toThrow(/version: 3.0 does not exist/u);
    expect(await engine.remove("echo", "2.0", 5000)).toBe(true);
    expect((await client.predict("echo", "[1,2,3,4]")).model).toBe("echo/1.0");
    await expect(engine.remove("echo", "2.0", 10)).rejects.toMatchObject({ code: "version_not_found" });
    await expect(engine.remove("nobody", "1.0", 10)).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("without instances requests are refused, with one again served; the figures say how many there are", async () => {
    const figures = () => engine.stats().find((each) => each.name === "sum");
    engine.resize("sum", "1.0", 0);
    expect(codeOf(-client.send(1, "sum", "[1,2,3,4]"))).toBe("not_ready");
    expect(client.channel.lastError()).toContain('"sum" has no worker to serve');
    engine.resize("sum", "1.0", 2);
    expect(figures()).toMatchObject({ instances: 2, lanes: 2 });
    expect(valueOf(await client.predict("sum", "[1,2,3,4]"))).toBe(10);
    expect(() => engine.resize("sum", "9.9", 1)).toThrow(/does not exist/u);
    expect(() => engine.resize("nobody", "1.0", 1)).toThrow(/not found/u);
  });

  test("removal waits for what was accepted, and says when it takes too long", async () => {
    await publish("slow", { version: "2.0", executor: "lane" });
    client.send(1, "slow", "[1,2,3,4]", { version: "2.0" });
    expect(await engine.remove("slow", "2.0", 1)).toBe(false);
    expect(codeOf(-client.send(2, "slow", "[1,2,3,4]", { version: "2.0" }))).toBe("version_not_found");
    await client.until(1);
    expect(client.done.get(1)).toMatchObject({ code: "ok", model: "slow/2.0" });
    client.done.clear();
    await publish("slow", { version: "2.0", executor: "lane" });
    expect(await engine.remove("slow", "2.0", 5000)).toBe(true);
  });

  test("counts finished requests by code", () => {
    const rows = engine.stats();
    expect(rows.map((each) => each.name).sort()).toEqual(["echo", "raise", "slow", "sum"]);
    const sum = rows.find((each) => each.name === "sum")!;
    expect(sum.requestsByCode[0]).toBe(3010);
    expect(sum.isDefault).toBe(true);
    expect(sum.inFlight).toBe(0);
    const echo = rows.find((each) => each.name === "echo")!;
    expect(echo.requestsByCode[1]).toBe(2);
    expect(rows.find((each) => each.name === "raise")!.requestsByCode[7]).toBe(1);
  });

  test("a sink that throws loses nobody else's completion, one that flushes is fine", async () => {
    for (const cookie of [1, 2, 3]) client.send(cookie, "echo", "[1,2,3,4]");
    const sink = (cookie: number, ...rest: [number, string, string | ArrayBuffer, unknown]): void => {
      client.channel.flush(client.sink);
      client.sink(cookie, ...rest);
      if (cookie === 1) throw new Error("from the sink");
    };
    expect(() => client.channel.flush(sink)).toThrow("from the sink");
    await client.until(3);
    client.done.clear();
  });

  test("a closed channel reports nothing and refuses", async () => {
    const other = new Client(engine);
    other.send(1, "echo", "[1,2,3,4]");
    other.send(2, "slow", "[1,2,3,4]");
    other.channel.close();
    other.channel.close();
    other.flush();
    expect(codeOf(-other.send(3, "echo", "[1,2,3,4]"))).toBe("draining");
    expect(other.channel.lastError()).toContain("closed");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(other.done.size).toBe(0);
    expect(valueOf(await client.predict("sum", "[1, 1, 1, 1]"))).toBe(4);
  });
});
