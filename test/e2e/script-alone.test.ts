/** Handlers in TypeScript without a model file: loaded, described, called, scaled, packed. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { entry, errorOf, eventually, Server } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-alone-"));
let server: Server;

const sconce = (...words: string[]): { readonly code: number | null; readonly out: string } => {
  const { status, stdout } = spawnSync(process.execPath, [entry, ...words], { encoding: "utf8", cwd: folder });
  return { code: status, out: stdout };
};

beforeAll(async () => {
  expect(sconce("handler", "new", "hello", "--alone").code).toBe(0);
  cpSync(join(folder, "hello"), join(folder, "apart"), { recursive: true });
  const yaml = readFileSync(join(folder, "hello/model-config.yaml"), "utf8");
  writeFileSync(
    join(folder, "apart/model-config.yaml"),
    yaml.replace("  handler:\n", "  handler:\n    isolation: process\n"),
  );
  server = await Server.start(
    ["hello", "apart"].map((name) => join(folder, name)).concat("--enable-model-api", "--model-store", folder),
  );
}, 60_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const ask = (model: string, body: unknown): Promise<Answer> =>
  call(server.port, { method: "POST", path: `/predictions/${model}`, body: JSON.stringify(body) });
const manage = (method: string, path: string): Promise<Answer> => call(server.managementPort, { method, path });
const message = (answer: Answer): string => (jsonOf(answer) as { readonly message: string }).message;

test.each(["hello", "apart"])("%s answers, is counted, listed and described", async (model) => {
  expect(jsonOf(await ask(model, { name: "you" }))).toEqual({ greeting: "Hello, you" });
  expect((await ask(model, {})).status).toBe(400);
  const v2 = await call(server.port, { method: "POST", path: `/v2/models/${model}/infer`, body: '{"name":"v2"}' });
  expect(jsonOf(v2)).toEqual({ greeting: "Hello, v2" });
  expect((await call(server.port, { path: `/v2/models/${model}/ready` })).status).toBe(200);
  const why = await call(server.port, { method: "POST", path: `/explanations/${model}`, body: "{}" });
  expect([why.status, message(why)]).toEqual([501, expect.stringMatching(/inference hook of its own/)]);
  const [described] = jsonOf(await manage("GET", `/models/${model}`)) as { sconce: unknown; workers: unknown[] }[];
  expect(described).toMatchObject({ sconce: { kind: "handler", state: "ready", form: "handler" }, minWorkers: 1 });
  expect((jsonOf(await manage("GET", "/models")) as { models: { modelName: string }[] }).models).toContainEqual(
    expect.objectContaining({ modelName: model }),
  );
  await eventually(20_000, "the requests in the metrics", async () =>
    (await server.metric(new RegExp(`^sconce_requests_total\\{model="${model}".*code="ok"`))) === 2 ? true : undefined,
  );
});

test("takes no requests without a worker, and does again with one", async () => {
  expect((await manage("PUT", "/models/hello?min_worker=0&max_worker=0&synchronous=true")).status).toBe(200);
  const refused = await ask("hello", { name: "you" });
  expect([refused.status, message(refused)]).toEqual([503, expect.stringMatching(/has no worker/)]);
  expect((await manage("PUT", "/models/hello?min_worker=3&synchronous=true")).status).toBe(200);
  expect((await ask("hello", { name: "you" })).status).toBe(200);
});

test("an archive of one is packed, inspected, registered and removed", async () => {
  const words = ["--model-name", "packed", "--version", "1.0", "--handler", "hello/handler.ts"];
  expect(sconce("archive", "create", ...words, "--export-path", folder).code).toBe(0);
  expect(sconce("archive", "verify", "packed.mar").code).toBe(0);
  expect(sconce("archive", "inspect", "packed.mar").out).toMatch(/kind +handler/);
  expect((await manage("POST", "/models?url=packed.mar&initial_workers=1&synchronous=true")).status).toBe(200);
  expect(jsonOf(await ask("packed", { name: "you" }))).toEqual({ greeting: "Hello, you" });
  expect((await manage("DELETE", "/models/packed")).status).toBe(200);
  expect((await ask("packed", { name: "you" })).status).toBe(404);
});

test("is refused where it would need a model", async () => {
  mkdirSync(join(folder, "forgot"));
  writeFileSync(join(folder, "forgot/model-config.yaml"), "handler: handler.mjs\n");
  writeFileSync(join(folder, "forgot/handler.mjs"), "export default { postprocess: () => 1 };");
  const forgot = await manage("POST", "/models?url=forgot&initial_workers=1&synchronous=true");
  expect([forgot.status, message(forgot)]).toEqual([400, expect.stringMatching(/no model file beside the handler/)]);
  const runs = "export default { inference: (input, request, context) => context.infer([]) };";
  writeFileSync(join(folder, "forgot/handler.mjs"), runs);
  expect((await manage("POST", "/models?url=forgot&initial_workers=1&synchronous=true")).status).toBe(200);
  expect((await ask("forgot", {})).status).toBe(500);
  expect(server.process.stderr).toMatch(/without context\.infer/);
});

test("TorchServe's metrics count each request: its own line, and the label of whether it named the version", async () => {
  const logs = join(folder, "logs");
  const words = ["--metrics-mode", "log", "--log-folder", logs, "--log-format", "torchserve", "--compat", "torchserve"];
  const counting = await Server.start([join(folder, "hello"), ...words]);
  for (const path of ["/predictions/hello", "/predictions/hello", "/predictions/hello/1.0"]) {
    const answer = await call(counting.port, { method: "POST", path, body: '{"name":"you"}' });
    expect(answer.status, answer.body.toString()).toBe(200);
  }
  const read = (file: string): string => readFileSync(join(logs, file), "utf8");
  await eventually(20_000, "the lines", () =>
    (read("model_metrics.log").match(/ - PredictionTime\./g) ?? []).length === 3 ? true : undefined,
  );
  await counting.stop();
  expect(read("ts_metrics.log").match(/ - QueueTime\.Milliseconds:0\.0\|/g)).toHaveLength(3);
  const counted = [
    ...read("ts_metrics.log").matchAll(
      /ts_inference_requests_total\.Count:(\S+?)\|#model_name:hello,model_version:([^|]+)/g,
    ),
  ];
  const sum = (label: string): number =>
    counted.filter(([, , each]) => each === label).reduce((all, [, count]) => all + Number(count), 0);
  expect([sum("default"), sum("1.0")]).toEqual([2, 1]);
});

test("TorchServe's words name the version only where the request did", async () => {
  const idle = await Server.start([join(folder, "hello"), "--compat", "torchserve"]);
  const scaled = await call(idle.managementPort, {
    method: "PUT",
    path: "/models/hello?min_worker=0&synchronous=true",
  });
  expect(scaled.status, scaled.body.toString()).toBe(200);
  const told = async (path: string) => errorOf(await call(idle.port, { method: "POST", path, body: "{}" })).message;
  expect(await told("/predictions/hello")).toMatch(/^Model "hello" has no worker/);
  expect(await told("/predictions/hello/1.0")).toMatch(/^Model "hello" Version 1.0" has no worker/);
  await idle.stop();
});
