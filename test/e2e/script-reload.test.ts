/** Handlers in TypeScript that are replaced, removed or crash while requests with slow hooks are under way. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, drive, jsonOf, requestBytes } from "./client.js";
import { eventually, repository, Server } from "./server.js";

const models = ["threaded", "apart"] as const;
const connections = 6;
const folder = mkdtempSync(join(tmpdir(), "sconce-reload-"));
const body = JSON.stringify(Array.from({ length: 16 }, () => 0.5));
let server: Server;

/** Takes its time to initialise, fails what comes before that, and is at work in both hooks. */
const handler = (says: string): string => `import { defineHandler, tensor } from "sconce";
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const shared = { warm: false };
export default defineHandler({
  async initialize() {
    await sleep(300);
    shared.warm = true;
  },
  async preprocess(request, context) {
    if (!shared.warm) throw new Error("cold");
    if (request.parameters.crash) {
      setImmediate(() => {
        throw new Error("outside any hook");
      });
      await sleep(1e6);
    }
    if (request.parameters.slow) context.metrics.count("slow");
    await sleep(request.parameters.slow ? 1000 : 40);
    return tensor(Float32Array.from(request.json() as number[]), [16]);
  },
  async postprocess() {
    await sleep(40);
    return ${JSON.stringify(says)};
  },
});
`;
const write = (model: string, says: string): void => writeFileSync(join(folder, model, "handler.ts"), handler(says));

beforeAll(async () => {
  for (const model of models) {
    mkdirSync(join(folder, model));
    copyFileSync(join(repository, "test/fixtures/models/mlp.pt"), join(folder, model, "model.pt"));
    const isolation = model === "apart" ? "process" : "thread";
    const yaml = `handler: handler.ts\nsconce:\n  inputs: [{ name: x, dtype: float32, shape: [16] }]\n  handler: { isolation: ${isolation} }\n`;
    writeFileSync(join(folder, model, "model-config.yaml"), yaml);
    write(model, "one");
  }
  const named = models.map((model) => `${model}=${join(folder, model)}`);
  server = await Server.start([...named, "--watch", "--enable-model-api"]);
}, 60_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const ask = (model: string, query = ""): Promise<Answer> =>
  call(server.port, { method: "POST", path: `/predictions/${model}${query}`, body });
const becomes = (model: string, wanted: string): Promise<unknown> =>
  eventually(20_000, wanted, async () => (jsonOf(await ask(model)) === wanted ? true : undefined));

/** Requests without end, until `stop` gives those that were not answered 200. */
function load(model: string): { readonly stop: () => Promise<readonly string[]> } {
  let over = false;
  const driving = drive({
    port: server.port,
    connections,
    count: 1_000_000,
    request: () => (over ? undefined : requestBytes({ path: `/predictions/${model}`, body })),
    check: (_, { status, body: got }) => (status === 200 ? undefined : `${status}: ${got.toString()}`),
  });
  return {
    stop: async () => {
      over = true;
      const { wrong, unanswered, refused } = await driving;
      expect({ unanswered, refused }).toEqual({ unanswered: [], refused: 0 });
      return wrong.map(String);
    },
  };
}

test.each(models)("%s: one that is loaded again costs no request, whatever its hooks are at", async (model) => {
  const { stop } = load(model);
  await becomes(model, "one");
  for (const says of ["two", "three"]) {
    write(model, says);
    await becomes(model, says);
  }
  expect(await stop()).toEqual([]);
});

test.each(models)("%s: a crash costs what it had begun, and the next one has initialised", async (model) => {
  const { stop } = load(model);
  await becomes(model, "three");
  expect((await ask(model, "?crash=yes")).status).toBe(500);
  await becomes(model, "three");
  const lost = await stop();
  expect(lost.length).toBeLessThanOrEqual(connections);
  for (const each of lost) expect(each).toMatch(/500: [^]*thread ended while it had the request/);
});

test.each(models)("%s: removing one waits for what its hooks have begun", async (model) => {
  const asked = Array.from({ length: connections }, () => ask(model, "?slow=yes"));
  const begun = new RegExp(`^sconce_handler_count_total\\{model="${model}",version="1.0",name="slow"`);
  await eventually(20_000, "all begun", async () => ((await server.metric(begun)) === connections ? true : undefined));
  const removed = await call(server.managementPort, { method: "DELETE", path: `/models/${model}` });
  expect(removed.status).toBe(200);
  for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
  expect((await ask(model)).status).toBe(404);
});
