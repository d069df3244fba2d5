/** Handlers in TypeScript and JavaScript on a real server: what they get, what they give, and how each fault fails alone. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { full } from "../full.js";
import { type Answer, call, jsonOf } from "./client.js";
import { everyThird } from "./every-third.js";
import { entry, eventually, repository, Server } from "./server.js";

const store = join(repository, "test/fixtures/script-handlers");
interface Golden {
  readonly cases: readonly {
    readonly inputs: { readonly x: { readonly data: number[] } };
    readonly outputs: { readonly output: { readonly data: number[] } };
  }[];
}
const golden = JSON.parse(readFileSync(join(repository, "test/fixtures/models/mlp.json"), "utf8")) as Golden;
const [first] = golden.cases;
const x = first?.inputs.x.data ?? [];
const expected = first?.outputs.output.data ?? [];

interface Told {
  readonly scores: readonly number[];
  readonly name: string;
  readonly shape: readonly number[];
  readonly greeting: string;
  readonly model: string;
  readonly initialized: boolean;
  readonly header: string | null;
  readonly query: string | null;
  readonly id: string;
  readonly secret: string | null;
  readonly together: number;
}

/** For what is long at full counts. */
const long = 1_200_000;

let server: Server;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-scripts-"));
  cpSync(store, folder, { recursive: true });
  cpSync(join(store, "tricks"), join(folder, "apart"), { recursive: true });
  const yaml = readFileSync(join(folder, "apart/model-config.yaml"), "utf8");
  writeFileSync(
    join(folder, "apart/model-config.yaml"),
    yaml.replace("handler:\n", "handler:\n    isolation: process\n"),
  );
  if (full) cpSync(join(store, "tricks"), join(folder, "deadly"), { recursive: true });
  cpSync(join(store, "batch"), join(folder, "batch-apart"), { recursive: true });
  writeFileSync(join(folder, "batch-apart/model-config.yaml"), readFileSync(join(folder, "apart/model-config.yaml")));
  cpSync(join(store, "steps"), join(folder, "steps-apart"), { recursive: true });
  writeFileSync(join(folder, "steps-apart/model-config.yaml"), readFileSync(join(folder, "apart/model-config.yaml")));
  const words = ["--model-store", folder, "--models", "all", "--enable-model-api", "--handler-memory", "256m"];
  server = await Server.start(words, { env: { SCONCE_TEST_SECRET: "hidden" } });
}, 90_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function ask(body: unknown, model = "tricks", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return call(server.port, {
    method: "POST",
    path: `/predictions/${model}?q=two%20words`,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}
const register = (name: string): Promise<Answer> =>
  call(server.managementPort, { method: "POST", path: `/models?url=${name}&initial_workers=1&synchronous=true` });
const trick = (name: string, at = "pre"): Promise<Answer> => ask({ x, trick: name, at });
const message = (answer: Answer): string => (jsonOf(answer) as { readonly message: string }).message;

function near(scores: readonly number[]): void {
  expect(scores).toHaveLength(expected.length);
  scores.forEach((score, i) => expect(score).toBeCloseTo(expected[i] ?? NaN, 5));
}

describe("a handler's hooks", () => {
  test("get the request, the model and the configuration, and make the answer", async () => {
    const answer = await ask({ x }, "tricks", { "x-test": "seen", "x-request-id": "mine" });
    expect(answer.status, message(answer)).toBe(200);
    const told = jsonOf(answer) as Told;
    near(told.scores);
    expect(told).toMatchObject({
      name: "y",
      shape: [4],
      greeting: "hello",
      model: "tricks/1.0",
      initialized: true,
      header: "seen",
      query: "two words",
      id: "mine",
      secret: null,
    });
  });

  test("a request without an id gets one", async () => {
    const ids = await Promise.all([ask({ x }), ask({ x })].map(async (each) => (jsonOf(await each) as Told).id));
    for (const id of ids) expect(id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("one hook is enough, in JavaScript too", async () => {
    expect(jsonOf(await ask({ x }, "plain"))).toEqual({
      best: expected.indexOf(Math.max(...expected)),
      name: "output_0",
    });
  });

  test("an answer has the status, type and headers that it was given", async () => {
    const answer = await trick("bytes", "post");
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("x-own")]).toEqual([
      201,
      "image/x",
      "yes",
    ]);
    expect([...answer.body]).toEqual([1, 2, 3]);
  });

  test("what the handler says reaches the log and the metrics", async () => {
    await trick("print");
    await trick("tell");
    const log = await eventually(20_000, "the handler's words in the log", () =>
      server.process.stderr.includes("printed by the handler") && server.process.stderr.includes("told by the handler")
        ? server.process.stderr
        : undefined,
    );
    expect(log).toMatch(/printed by the handler.*tricks/);
    const labels = String.raw`\{model="tricks",version="1.0",name="`;
    await eventually(20_000, "the handler's counter", async () =>
      (await server.metric(new RegExp(`^sconce_handler_count_total${labels}told"`))) === 1 ? true : undefined,
    );
    expect(await server.metric(new RegExp(`^sconce_handler_value${labels}level"`))).toBe(0.5);
  });

  test("tensors of the Open Inference Protocol go to the model itself", async () => {
    const body = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 16], data: x }] };
    const path = "/v2/models/tricks/infer";
    const answer = await call(server.port, { method: "POST", path, body: JSON.stringify(body) });
    near((jsonOf(answer) as { outputs: [{ data: number[] }] }).outputs[0].data);
  });
});

describe("a fault fails its request alone", () => {
  const cases: readonly (readonly [name: string, at: string, status: number, words: RegExp])[] = [
    ["throw", "pre", 500, /preprocess failed; the server's log/],
    ["throw", "post", 500, /postprocess failed; the server's log/],
    ["throw text", "pre", 500, /preprocess failed/],
    ["reject", "post", 500, /postprocess failed/],
    ["exit", "pre", 500, /preprocess failed/],
    ["exit", "post", 500, /postprocess failed/],
    ["wrong", "pre", 500, /preprocess gave number; expected a tensor/],
    ["nothing", "pre", 400, /tensor|input/],
    ["circle", "post", 500, /cannot be written as JSON/],
    ["hang", "pre", 504, /preprocess did not settle within 500 ms \(--hook-timeout/],
    ["hang", "post", 504, /postprocess did not settle within 500 ms/],
  ];

  test("whatever a hook does, and the requests beside it are answered", async () => {
    const asked = cases.map(([name, at]) => trick(name, at));
    const beside = Array.from({ length: 8 }, () => ask({ x }));
    for (const [i, answer] of (await Promise.all(asked)).entries()) {
      const [name, at, status, words] = cases[i] ?? [];
      expect(answer.status, `${name ?? ""} ${at ?? ""}: ${message(answer)}`).toBe(status);
      expect(message(answer), name).toMatch(words ?? /^$/);
      expect(message(answer)).not.toContain("secret");
    }
    for (const answer of await Promise.all(beside)) near((jsonOf(answer) as Told).scores);
    expect(server.process.stderr).toMatch(/a secret of the handler/);
    expect(await server.metric(/^sconce_handler_restarts_total\{model="tricks"/)).toBe(0);
  });

  test("of requests of which every third fails exactly those do, and nothing grows", { timeout: long }, async () => {
    const restarts = /^sconce_handler_restarts_total\{model="tricks"/;
    const before = await server.metric(restarts);
    const faults = ["throw", "exit", "reject"];
    const bad = (nth: number): Promise<Answer> => trick(faults[nth % faults.length] ?? "", nth % 2 ? "pre" : "post");
    await everyThird({ good: () => ask({ x }), bad, status: 500, pids: [server.process.pid] }, 300);
    expect(await server.metric(restarts)).toBe(before);
  });

  test.runIf(full)(
    "of requests of which every third ends the thread exactly those fail",
    { timeout: long },
    async () => {
      const pids = [server.process.pid];
      await everyThird(
        { good: () => ask({ x }, "deadly"), bad: () => ask({ x, trick: "crash" }, "deadly"), status: 500, pids },
        0,
        300,
      );
    },
  );

  test("a refusal with a status reaches the client", async () => {
    const answer = await ask({ x: "none" });
    expect([answer.status, message(answer)]).toEqual([422, "x must be a list of 16 numbers"]);
    const broken = await call(server.port, { method: "POST", path: "/predictions/tricks", body: "{" });
    expect([broken.status, message(broken)]).toEqual([400, expect.stringMatching(/^The body is not JSON/)]);
  });

  test("an error outside any hook ends the thread, and another one serves", async () => {
    const [answer, ...beside] = await Promise.all([trick("crash"), ask({ x }), ask({ x })]);
    expect([answer.status, message(answer)]).toEqual([
      500,
      expect.stringMatching(/thread ended while it had the request/),
    ]);
    for (const each of [...beside, await ask({ x })]) near((jsonOf(each) as Told).scores);
    const restarts = await server.metric(/^sconce_handler_restarts_total\{model="tricks"/);
    // A second one where others were with it, so that it was tried alone.
    expect([1, 2]).toContain(restarts);
    expect(server.process.stderr).toMatch(/outside any hook/);
  });

  test("a hook that never returns is ended, and what waited behind it is answered", async () => {
    const spins = trick("spin");
    const behind = Array.from({ length: 4 }, () => ask({ x }));
    const answer = await spins;
    expect([answer.status, message(answer)]).toEqual([504, expect.stringMatching(/did not return within its time/)]);
    for (const each of await Promise.all(behind)) near((jsonOf(each) as Told).scores);
    near((jsonOf(await ask({ x })) as Told).scores);
    near((jsonOf(await ask({ x }, "batch")) as Told).scores);
  });
});

describe("a batch-aware handler", () => {
  test("gets requests together, and bad ones of a batch fail alone", async () => {
    const wishes = [undefined, "error", undefined, "throw", "count", undefined];
    const answers = await Promise.all(wishes.map((each) => ask({ x, ...(each ? { trick: each } : {}) }, "batch")));
    expect(answers.map(({ status }) => status)).toEqual([200, 409, 200, 500, 500, 200]);
    expect(message(answers[1]!)).toBe("this one not");
    expect(message(answers[4]!)).toMatch(/gave 0 entries for 1 requests/);
    for (const i of [0, 2, 5]) near((jsonOf(answers[i]!) as Told).scores);
  });
});

describe("a handler in a process of its own", () => {
  const apart = (name: string, at = "pre"): Promise<Answer> => ask({ x, trick: name, at }, "apart");

  test("answers as on a thread, alone and together", async () => {
    const told = jsonOf(await ask({ x }, "apart", { "x-test": "seen", "x-request-id": "mine" })) as Told;
    near(told.scores);
    expect(told).toMatchObject({ name: "y", greeting: "hello", header: "seen", id: "mine", secret: null });
    const answer = await apart("bytes", "post");
    expect([answer.status, answer.headers.get("content-type"), [...answer.body]]).toEqual([201, "image/x", [1, 2, 3]]);
    const wishes = [undefined, "error", "count", "throw", undefined];
    const answers = await Promise.all(
      wishes.map((each) => ask({ x, ...(each ? { trick: each } : {}) }, "batch-apart")),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 409, 500, 500, 200]);
  });

  test("runs the model itself, and what the model refuses is refused there too", async () => {
    const whole = (input: number[]): Promise<Answer> => ask({ x: input, times: 1, whole: true }, "steps-apart");
    for (const answer of await Promise.all(Array.from({ length: 5 }, () => whole(x)))) {
      near((jsonOf(answer) as Told).scores);
    }
    const refused = await whole([1]);
    expect([refused.status, message(refused)]).toEqual([400, expect.stringMatching(/16/)]);
    near((jsonOf(await whole(x)) as Told).scores);
  });

  test("may not read, write or start what is not its own", async () => {
    for (const name of ["read", "write", "spawn"]) expect((await apart(name, "post")).status, name).toBe(500);
    await eventually(20_000, "three refusals in the log", () =>
      (server.process.stderr.match(/Access to this API has been restricted/g)?.length ?? 0) >= 3 ? true : undefined,
    );
  });

  test("fails alone", async () => {
    for (const [name, status] of [
      ["throw", 500],
      ["exit", 500],
      ["hang", 504],
      ["circle", 500],
    ] as const) {
      const [answer, beside] = await Promise.all([apart(name, "post"), ask({ x }, "apart")]);
      expect([name, answer.status, beside.status]).toEqual([name, status, 200]);
    }
    expect((await ask({ x: "none" }, "apart")).status).toBe(422);
  });

  test("of requests of which every third fails exactly those do, and nothing grows", { timeout: long }, async () => {
    const faults = ["throw", "exit", "reject"];
    const bad = (nth: number): Promise<Answer> => apart(faults[nth % faults.length] ?? "", nth % 2 ? "pre" : "post");
    const children = readFileSync(`/proc/${server.process.pid}/task/${server.process.pid}/children`, "utf8");
    const pids = [server.process.pid, ...children.trim().split(" ").map(Number)];
    await everyThird({ good: () => ask({ x }, "apart"), bad, status: 500, pids }, 120);
  });

  test.runIf(full)(
    "of requests of which every third ends the process exactly those fail",
    { timeout: long },
    async () => {
      const pids = [server.process.pid];
      const bad = (): Promise<Answer> => apart("abort");
      await everyThird({ good: () => ask({ x }, "apart"), bad, status: 500, pids }, 0, 300);
    },
  );

  test("one that allocates without end, is killed or stands still ends alone, and another one serves", async () => {
    for (const name of ["allocate", "abort", "spin"]) {
      const beside = Array.from({ length: 4 }, (_, i) => ask({ x }, i < 2 ? "apart" : "tricks"));
      const [answer, ...others] = await Promise.all([apart(name), ...beside]);
      expect([500, 504], name).toContain(answer.status);
      for (const each of others) near((jsonOf(each) as Told).scores);
      const again = await eventually(30_000, `an answer after ${name}`, async () => {
        const answer = await ask({ x }, "apart");
        return answer.status === 200 ? answer : undefined;
      });
      near((jsonOf(again) as Told).scores);
    }
    expect(server.process.stderr).toMatch(/the handler's process ended.*SIGKILL/);
  });
});

describe("docs/typescript-handlers.md", () => {
  test("its handler serves as written", async () => {
    const page = readFileSync(join(repository, "docs/typescript-handlers.md"), "utf8");
    const block = (kind: string): string => new RegExp(`\`\`\`${kind}\\n([^]*?)\`\`\``).exec(page)?.[1] ?? "";
    cpSync(join(folder, "plain/model.pt"), join(folder, "page/model.pt"), { recursive: true });
    writeFileSync(join(folder, "page/handler.ts"), block("ts"));
    writeFileSync(join(folder, "page/model-config.yaml"), block("yaml"));
    expect((await register("page")).status).toBe(200);
    near((jsonOf(await ask({ x }, "page")) as Told).scores);
    expect(message(await ask({ x: [1] }, "page"))).toBe("x must be a list of 16 numbers");
  });
});

describe("sconce handler", () => {
  const sconce = (...words: string[]): { readonly code: number | null; readonly out: string } => {
    const { status, stdout } = spawnSync(process.execPath, [entry, "handler", ...words], { encoding: "utf8" });
    return { code: status, out: stdout };
  };

  test("writes a handler that serves, and tests it against samples", () => {
    const own = join(folder, "own");
    expect(sconce("new", own).code).toBe(0);
    cpSync(join(folder, "plain/model.pt"), join(own, "model.pt"));
    writeFileSync(join(own, "samples/good.json"), JSON.stringify({ x }));
    writeFileSync(join(own, "samples/bad.json"), JSON.stringify({ x: 1 }));
    expect(sconce("test", own).out).toMatch(/no bad.json: .*--update writes this answer: 400 \{.*a list of numbers/);
    expect(sconce("test", own, "--update").code).toBe(0);
    const { status, body } = JSON.parse(readFileSync(join(own, "samples/good.expected.json"), "utf8")) as {
      readonly status: number;
      readonly body: Told;
    };
    expect(status).toBe(200);
    near(body.scores);
    writeFileSync(join(own, "samples/bad.expected.json"), JSON.stringify({ status: 200, body: null }));
    const tested = sconce("test", own);
    expect(tested.code).toBe(1);
    expect(tested.out).toMatch(/no bad.json: answer.status is 400, expected 200\nok good.json\n1 of 2 as expected/);
  });
});

describe("loading", () => {
  function variant(name: string, handler: string): void {
    cpSync(join(folder, "plain"), join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "handler.mjs"), handler);
  }

  test("refuses what is no handler, with the reason", async () => {
    const cases: readonly (readonly [name: string, code: string, words: RegExp])[] = [
      ["syntax", "export default {", /does not compile: handler.mjs:1: /],
      ["outside", 'import x from "../plain/handler.mjs"; export default x;', /lies outside the model's folder/],
      ["absent", 'import x from "left-pad"; export default x;', /handler.mjs:1: Could not resolve "left-pad"/],
      ["empty", "export default {};", /neither preprocess nor inference nor postprocess/],
      ["hooks", "export default { preproces() {} };", /"preproces", which is none of/],
      ["raises", "export default { initialize() { throw new Error('no weights'); }, postprocess() {} };", /no weights/],
    ];
    for (const [name, code, words] of cases) {
      variant(name, code);
      const answer = await register(name);
      expect(answer.status, name).toBe(400);
      expect(message(answer), name).toMatch(words);
    }
  });

  test("a version that is registered again serves with the new handler", async () => {
    variant("again", "export default { postprocess: () => 'old' };");
    expect((await register("again")).status).toBe(200);
    expect(jsonOf(await ask({ x }, "again"))).toBe("old");
    await call(server.managementPort, { method: "DELETE", path: "/models/again" });
    variant("again", "export default { postprocess: () => 'new' };");
    expect((await register("again")).status).toBe(200);
    expect(jsonOf(await ask({ x }, "again"))).toBe("new");
  });
});
