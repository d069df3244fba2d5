/** /explanations of models with a handler in TypeScript: the numbers of the same file without it, and what is refused. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { repository, Server } from "./server.js";

const store = join(repository, "test/fixtures/script-handlers");
const x = Array.from({ length: 16 }, (_, i) => Math.sin(i));
const inputs = "sconce:\n  inputs:\n    - { name: x, dtype: float32, shape: [16] }\n";

let server: Server;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-why-"));
  for (const name of ["tricks", "batch", "steps", "plain"])
    cpSync(join(store, name), join(folder, name), { recursive: true });
  for (const name of ["tricks", "steps"]) {
    cpSync(join(store, name), join(folder, `${name}-apart`), { recursive: true });
    const yaml = readFileSync(join(store, name, "model-config.yaml"), "utf8");
    const apart = yaml.replace("handler:\n", "handler:\n    isolation: process\n");
    writeFileSync(join(folder, `${name}-apart/model-config.yaml`), apart);
  }
  const alone = join(folder, "base");
  mkdirSync(alone);
  cpSync(join(store, "tricks/model.pt"), join(alone, "model.pt"));
  writeFileSync(join(alone, "model-config.yaml"), `handler: base_handler\n${inputs}`);
  server = await Server.start(["--model-store", folder, "--models", "all"]);
}, 90_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function explain(model: string, body: unknown, query = "", accept = "application/json"): Promise<Answer> {
  const path = `/explanations/${model}?${query}`;
  const headers = { "content-type": "application/json", accept };
  return call(server.port, { method: "POST", path, headers, body: JSON.stringify(body) });
}
const message = (answer: Answer): string => (jsonOf(answer) as { readonly message: string }).message;

describe("what the handler's preprocess gives is explained", () => {
  const queries = [
    "",
    "target=2&detail=true",
    "method=saliency&target=predicted",
    "method=occlusion&window=4",
    "steps=20&rule=riemann_left",
  ];

  test.each(["tricks", "tricks-apart", "batch"])("%s: the numbers of base_handler", async (model) => {
    for (const query of queries) {
      const [own, base] = await Promise.all([explain(model, { x }, query), explain("base", x, query)]);
      expect([base.status, own.status], own.body.toString()).toEqual([200, 200]);
      expect(jsonOf(own), query).toEqual(jsonOf(base));
      expect(own.headers.get("x-sconce-model")).toBe(`${model}/1.0`);
    }
  });

  test("without preprocess the body is read as base_handler reads it", async () => {
    const bodies = [x, { instances: [x, x] }];
    for (const body of bodies) {
      const [own, base] = [await explain("plain", body), await explain("base", body)];
      expect([own.status, jsonOf(own)]).toEqual([200, jsonOf(base)]);
    }
  });

  test("as a picture, as bytes, and in no other form", async () => {
    for (const accept of ["image/png", "application/octet-stream"]) {
      const [own, base] = [await explain("tricks", { x }, "", accept), await explain("base", x, "", accept)];
      expect([own.status, own.headers.get("content-type")]).toEqual([200, accept]);
      expect(own.body.equals(base.body)).toBe(true);
    }
    expect((await explain("tricks", { x }, "", "text/html")).status).toBe(406);
  });

  test("predictions go on beside it", async () => {
    const predict = (): Promise<Answer> =>
      call(server.port, { path: "/predictions/tricks", body: JSON.stringify({ x }) });
    const answers = await Promise.all([
      predict(),
      explain("tricks", { x }),
      predict(),
      explain("batch", { x }),
      predict(),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(jsonOf(answers[0])).toHaveProperty("greeting", "hello");
  });
});

describe("is refused", () => {
  test.each(["steps", "steps-apart"])("%s: where the handler runs the model itself", async (model) => {
    const answer = await explain(model, { x, times: 1, whole: true });
    expect([answer.status, message(answer)]).toEqual([501, expect.stringMatching(/inference hook of its own/)]);
  });

  test.each(["tricks", "tricks-apart"])("%s: with the hook's own words, or why it gave no tensors", async (model) => {
    const cases: readonly (readonly [body: unknown, query: string, status: number, words: RegExp])[] = [
      [{ x: "none" }, "", 422, /x must be a list of 16 numbers/],
      [{ x, trick: "throw" }, "", 500, /preprocess failed; the server's log/],
      [{ x, trick: "wrong" }, "", 500, /preprocess gave number; expected a tensor/],
      [{ x: [1] }, "", 400, /16/],
      [{ x, trick: "hang" }, "", 504, /preprocess did not settle/],
      [{ x }, "colour=red", 400, /has no parameter "colour"/],
      [{ x }, "target=99", 400, /target/],
    ];
    for (const [body, query, status, words] of cases) {
      const answer = await explain(model, body, query);
      expect([answer.status, message(answer)], query).toEqual([status, expect.stringMatching(words)]);
    }
  });
});
