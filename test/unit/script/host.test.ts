import { describe, expect, test, vi } from "vitest";
import { openFakeEngine } from "../../../src/engine/fake.js";
import { type Context, type HandlerDefinition, HandlerError, tensor } from "../../../src/handlers/define.js";
import { Host, type Link } from "../../../src/script/host.js";
import { type FromHandler, linkWords, type WireRequest } from "../../../src/script/messages.js";
import { specOf } from "../../contract/specs.js";

const wire: WireRequest = {
  id: "r",
  span: { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, parent: undefined },
  body: new TextEncoder().encode("[1, 2, 3, 4]"),
  contentType: "application/json",
  accept: "",
  parts: undefined,
  headers: {},
  parameters: {},
  urlPath: "",
  explains: false,
  named: false,
};

async function hostOf(handler: HandlerDefinition, hookTimeoutMs = 1000) {
  const engine = openFakeEngine();
  const spec = specOf("echo");
  await engine.load(spec, "l");
  engine.publish("l");
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const made: { host?: Host } = {};
  const context: Context = {
    model: { name: spec.name, version: spec.version, folder: "", inputs: [], outputs: [] },
    config: {},
    log,
    metrics: { count: vi.fn(), set: vi.fn() },
    state: undefined,
    infer: (input) => made.host?.infer(input) ?? Promise.reject(new Error("no host")),
  };
  const said: FromHandler[] = [];
  const link: Link = {
    words: new Int32Array(linkWords.count),
    say: (answer) => void said.push(structuredClone(answer)),
  };
  const report = vi.fn();
  const script = { hookTimeoutMs, maxBatch: 4 };
  const host = (made.host = new Host({
    handler,
    context,
    script,
    openChannel: (ready) => engine.openChannel(ready),
    report,
  }));
  return {
    engine,
    host,
    link,
    said,
    report,
    ask: (id: number, request = wire) => host.take(link, { ask: id, request, timeoutMs: 0 }),
  };
}
const answered = (said: readonly FromHandler[], count: number): Promise<void> =>
  vi.waitFor(() => expect(said).toHaveLength(count), { timeout: 20_000 });

describe("one request at a time", () => {
  test("runs the model as one whose client named the version only where it did", async () => {
    const { ask, said, engine } = await hostOf({ postprocess: () => "done" });
    ask(1);
    await answered(said, 1);
    expect(engine.stats()[0]).toMatchObject({ version: "1.0", rows: 1, named: { requests: 0 } });
    ask(2, { ...wire, named: true });
    await answered(said, 2);
    expect(engine.stats()[0]).toMatchObject({ rows: 2, named: { requests: 1 } });
  });

  test("goes through both hooks and the engine", async () => {
    const { ask, said, link } = await hostOf({
      preprocess: (request) => tensor(Float32Array.from(request.json() as number[]), [4]),
      postprocess: ([output]) => ({ got: output?.data }),
    });
    ask(1);
    await answered(said, 1);
    expect(said).toEqual([{ ask: 1, body: expect.stringContaining("got") as string }]);
    expect([...link.words]).toEqual([1, 0, 0]);
  });

  test("a refusal, an error and an error of the engine each fail their own", async () => {
    const { ask, said, report } = await hostOf({
      preprocess: (request) => {
        const wish = request.text();
        if (wish === "refuse") throw new HandlerError(409, "not now");
        if (wish === "break") throw new Error("inside");
        return { nonsense: tensor(new BigInt64Array(1), [1]) };
      },
    });
    const bytes = (text: string): WireRequest => ({ ...wire, body: new TextEncoder().encode(text) });
    ask(1, bytes("refuse"));
    ask(2, bytes("break"));
    ask(3, { ...wire, body: new Uint8Array([255]) });
    await answered(said, 3);
    expect(said[0]).toMatchObject({ ask: 1, status: 409, message: "not now" });
    expect(said[1]).toMatchObject({ ask: 2, code: "handler_failed" });
    expect(said[2]).toMatchObject({ ask: 3, status: 400, message: "The body is not UTF-8." });
    expect(report).toHaveBeenCalledTimes(1);
    expect(report).toHaveBeenCalledWith("preprocess", expect.objectContaining({ id: "r" }), new Error("inside"));
  });

  test("an answer that cannot be sent, and one thrown that cannot be looked at, fail their own", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const { ask, said, report } = await hostOf({
      preprocess: async ({ id }) => {
        await Promise.resolve();
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a handler may do
        if (id === "proxy") throw proxy;
        return tensor(new Float32Array(4), [4]);
      },
      postprocess: () => {
        const bytes = new Uint8Array(64);
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
        return bytes;
      },
    });
    ask(1);
    ask(2, { ...wire, id: "proxy" });
    await answered(said, 2);
    const failed = { code: "handler_failed", message: expect.stringMatching(/^The handler's p\w+ failed/) as string };
    expect(said).toEqual(
      expect.arrayContaining([expect.objectContaining({ ask: 1, ...failed }), { ask: 2, ...failed }]),
    );
    expect(report).toHaveBeenCalledTimes(2);
  });

  test("one that is cancelled sees it and is not answered", async () => {
    const seen = vi.fn();
    const { host, link, ask, said } = await hostOf({
      preprocess: (request) =>
        new Promise((resolve) => {
          request.signal.addEventListener("abort", () => {
            seen();
            resolve(tensor(new Float32Array(4), [4]));
          });
        }),
    });
    ask(1);
    host.take(link, { cancel: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toHaveBeenCalledTimes(1);
    expect(said).toEqual([]);
  });
});

describe("requests together", () => {
  test("are given in one call, at most as many as may be", async () => {
    const sizes: number[] = [];
    const { ask, said } = await hostOf({
      batch: true,
      preprocess: (requests) => {
        sizes.push(requests.length);
        return requests.map(() => tensor(new Float32Array(4), [4]));
      },
    });
    for (let id = 1; id <= 6; id++) ask(id);
    await answered(said, 6);
    expect(sizes).toEqual([4, 2]);
    expect(said.every(({ body }) => body !== undefined)).toBe(true);
  });

  test("a wrong count is looked at one by one", async () => {
    const { ask, said } = await hostOf({
      batch: true,
      postprocess: (outputs) => (outputs.length > 1 ? [] : [outputs.length]),
    });
    ask(1);
    ask(2);
    await answered(said, 2);
    expect(said.map(({ body }) => body)).toEqual(["1", "1"]);
  });
});
