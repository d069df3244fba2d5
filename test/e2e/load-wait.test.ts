/** Requests for a model whose load is under way, on a real server: they wait for it where that is asked for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { errorOf, eventually, Server } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-load-wait-"));
let server: Server;

/** Its load lasts until the file is there, and fails where that says so. */
const handler = (go: string): string => `
import { existsSync, readFileSync } from "node:fs";
export default {
  async initialize() {
    while (!existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 20));
    if (readFileSync(${JSON.stringify(go)}, "utf8") === "fail") throw new Error("told to fail");
  },
  preprocess: (request) => request.body.length,
  inference: (sizes) => sizes,
  postprocess: (size) => ({ size }),
};
`;

const goOf = (name: string): string => join(folder, `${name}.go`);

function lay(name: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "handler.mjs"), handler(goOf(name)));
  writeFileSync(join(folder, name, "model-config.yaml"), "handler: handler.mjs\n");
}

const manage = (method: string, path: string): Promise<Answer> => call(server.managementPort, { method, path });
const waited = (name: string): Promise<number | undefined> =>
  server.metric(new RegExp(`^sconce_requests_waited_for_load_total\\{model="${name}"`));

beforeAll(async () => {
  for (const name of ["late", "broken", "never"]) lay(name);
  server = await Server.start(["--enable-model-api", "--model-store", folder, "--load-wait", "20"]);
}, 60_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function beginLoad(name: string): Promise<void> {
  expect((await manage("POST", `/models?url=${name}&initial_workers=1&synchronous=false`)).status).toBe(202);
  await eventually(20_000, "the load", async () => {
    const answer = await call(server.port, { path: `/v2/models/${name}/ready` });
    return answer.status === 503 || answer.status === 400 ? true : undefined;
  });
}

test("small, large and chunked bodies, by every protocol, wait for the load and are answered by the model", async () => {
  await beginLoad("late");
  const large = Buffer.alloc(3_000_000, 0x20);
  const ask = (path: string, body: string | Buffer) => call(server.port, { method: "POST", path, body });
  const asked = [
    ask("/predictions/late", "[1]"),
    ask("/predictions/late/1.0", large),
    ask("/v2/models/late/infer", "[1,2]"),
    ask("/v1/models/late:predict", "12345"),
  ];
  const first = await Promise.race([...asked, new Promise((resolve) => setTimeout(resolve, 500, "waits"))]);
  expect(first).toBe("waits");
  writeFileSync(goOf("late"), "");
  const answers = await Promise.all(asked);
  expect(answers.map((answer) => [answer.status, answer.body.toString()])).toEqual(
    [3, 3_000_000, 5, 5].map((size) => [200, JSON.stringify({ size })]),
  );
  await eventually(20_000, "the count", async () => ((await waited("late")) === 4 ? true : undefined));
  expect((await ask("/predictions/late", "[]")).status).toBe(200);
  expect(await waited("late")).toBe(4);
});

test("a load that fails tells those that wait why", async () => {
  await beginLoad("broken");
  const asked = call(server.port, { method: "POST", path: "/predictions/broken", body: "[1]" });
  writeFileSync(goOf("broken"), "fail");
  const answer = await asked;
  expect([answer.status, errorOf(answer).message]).toEqual([503, expect.stringMatching(/told to fail/)]);
});

test("without --load-wait the answer is 503 at once, and tells what the load is at", async () => {
  const hasty = await Server.start(["--enable-model-api", "--model-store", folder]);
  const path = "/models?url=never&initial_workers=1&synchronous=false";
  expect((await call(hasty.managementPort, { method: "POST", path })).status).toBe(202);
  const answer = await eventually(20_000, "the refusal", async () => {
    const got = await call(hasty.port, { method: "POST", path: "/predictions/never", body: "[1]" });
    return got.status === 503 ? got : undefined;
  });
  expect((jsonOf(answer) as { message: string }).message).toMatch(/"never" version 1.0 is loading/);
  await hasty.stop("SIGKILL");
});
