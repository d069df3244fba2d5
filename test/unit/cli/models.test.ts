import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

/** A management port that remembers what it was asked and answers what the test says. */
let server: Server;
let base = "";
let asked: { readonly request: string; readonly authorization: string | undefined }[] = [];
let answer: (
  request: IncomingMessage,
) => { status: number; body: unknown } | Promise<{ status: number; body: unknown }>;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push({ request: `${request.method} ${request.url}`, authorization: request.headers.authorization });
    void Promise.resolve(answer(request)).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  asked = [];
  answer = () => ({ status: 200, body: { status: "well done" } });
});

async function sconce(words: string[], env: Record<string, string> = {}) {
  const { terminal, out, err } = fakeTerminal({ env: { SCONCE_KEY_FILE: "", ...env } });
  const code = await run(["models", ...words, "--url", base], terminal);
  return { code, out: out(), err: err() };
}

const described = {
  modelName: "digits",
  modelVersion: "1.0",
  modelUrl: "digits.mar",
  minWorkers: 1,
  maxWorkers: 2,
  batchSize: 8,
  maxBatchDelay: 0,
  responseTimeout: 60,
  workers: [{ status: "READY", memoryUsage: 2048 }],
  jobQueueStatus: { remainingCapacity: 100, pendingRequests: 0 },
  sconce: { state: "ready", isDefault: true, executor: "inline", executorReason: "small" },
};
const failure = { ...described, modelVersion: "2.0", workers: [], sconce: { state: "failed", reason: "no such op" } };

describe("reading", () => {
  test("list goes through every page and version, as a table", async () => {
    answer = ({ url = "" }) => {
      if (url.includes("next_page_token=0"))
        return { status: 200, body: { nextPageToken: "1", models: [{ modelName: "digits" }] } };
      if (url.includes("next_page_token=1")) return { status: 200, body: { models: [{ modelName: "gone" }] } };
      return url.includes("gone")
        ? { status: 404, body: { code: 404, type: "ModelNotFoundException", message: "Model not found: gone" } }
        : { status: 200, body: [described, failure] };
    };
    const { code, out } = await sconce(["list"]);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        "model   version  default  state   workers  batch  weights  source",
        "digits  1.0      yes      ready   1/1-2    8      2 KiB    digits.mar",
        "digits  2.0               failed  0/1-2    8               digits.mar: no such op",
        "",
      ].join("\n"),
    );
  });

  test("describe shows facts with their reasons; --json is the answer itself", async () => {
    answer = () => ({ status: 200, body: [described] });
    const { out } = await sconce(["describe", "digits/1.0"]);
    expect(asked[0]?.request).toBe("GET /models/digits/1.0");
    expect(out).toMatch(/^executor +inline \(small\)$/m);
    expect(JSON.parse((await sconce(["describe", "digits", "--json"])).out)).toEqual([described]);
  });
});

describe("changing", () => {
  test.each([
    [["register", "a.mar"], "POST /models?url=a.mar&initial_workers=1&synchronous=true"],
    [
      ["register", "a.mar", "--name", "x", "--workers", "2", "--batch-size", "4", "--no-wait"],
      "POST /models?url=a.mar&model_name=x&batch_size=4&initial_workers=2&synchronous=false",
    ],
    [["scale", "digits", "3"], "PUT /models/digits?min_worker=3&synchronous=true"],
    [
      ["scale", "digits/1.0", "1", "--max", "4", "--no-wait"],
      "PUT /models/digits/1.0?min_worker=1&max_worker=4&synchronous=false",
    ],
    [["default", "digits/2.0"], "PUT /models/digits/2.0/set-default"],
    [["default", "digits/2.0", "--force"], "PUT /models/digits/2.0/set-default?force=true"],
    [["unregister", "digits/1.0"], "DELETE /models/digits/1.0"],
    [["rollback", "digits"], "POST /models/digits/rollback"],
    [["log-level", "digits", "debug"], "POST /models/digits/log-level?level=debug"],
    [["unregister", "a b"], "DELETE /models/a%20b"],
  ])("%j", async (words, request) => {
    expect(await sconce(words)).toEqual({ code: 0, out: "well done\n", err: "" });
    expect(asked[0]?.request).toBe(request);
  });

  test("default --force prints what differs; without it the refusal says how", async () => {
    answer = () => Promise.resolve({ status: 200, body: { status: "done", differences: ["input x: is gone"] } });
    expect(await sconce(["default", "digits/2.0", "--force"])).toEqual({
      ...{ code: 0, out: "done\n", err: "differs: input x: is gone\n" },
    });
    const body = { code: 409, type: "IncompatibleVersionException", message: "no: input x: is gone" };
    answer = () => Promise.resolve({ status: 409, body });
    const refused = await sconce(["default", "digits/2.0"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("input x: is gone");
    expect(refused.err).toContain("--force");
  });

  test("register shows the phases of a load that takes its time", async () => {
    let finish = (): void => undefined;
    const loaded = new Promise<void>((resolve) => (finish = resolve));
    answer = async ({ method, url = "" }) => {
      if (method === "POST") await loaded.then(() => undefined);
      else if (url.startsWith("/models?")) return { status: 200, body: { models: [{ modelName: "digits" }] } };
      else {
        finish();
        const sconce = { state: "loading", phase: "warm-up", loadSeconds: 1.25 };
        return { status: 200, body: [{ ...described, workers: [], sconce }] };
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { status: 200, body: { status: "registered" } };
    };
    const { code, out, err } = await sconce(["register", "digits.mar"]);
    expect({ code, out }).toEqual({ code: 0, out: "registered\n" });
    expect(err).toBe("digits 1.0: warm-up (1.3 s)\n");
  });
});

describe("exit codes", () => {
  test.each([
    [404, "ModelNotFoundException", 5],
    [400, "InvalidModelException", 3],
    [409, "ConflictStatusException", 1],
    [400, "InvalidKeyException", 1],
  ])("%i %s is %i", async (status, type, code) => {
    answer = () => ({ status, body: { code: status, type, message: "the reason" } });
    const refused = await sconce(["unregister", "digits"]);
    expect(refused).toMatchObject({ code, out: "" });
    expect(refused.err).toContain("sconce: the reason\n");
    expect(refused.err.includes("--key-file")).toBe(type === "InvalidKeyException");
  });

  test("nobody there is 4", async () => {
    const { terminal, err } = fakeTerminal();
    expect(await run(["models", "list", "--url", "http://127.0.0.1:1"], terminal)).toBe(4);
    expect(err()).toContain("is the server running");
  });

  test.each([
    [[], "models takes list, describe, register"],
    [["lst"], "did you mean list?"],
    [["default", "digits"], "takes NAME/VERSION"],
    [["scale", "digits"], "and a number of workers"],
    [["scale", "digits", "-1"], "unknown option|and a number of workers"],
    [["describe"], "takes NAME"],
    [["describe", "a/b/c"], "takes NAME"],
    [["rollback", "a/1"], "takes NAME"],
    [["register"], "takes one archive"],
    [["list", "--timeout", "soon"], "--timeout"],
  ])("%j is a usage error", async (words, message) => {
    const { code, err } = await sconce(words);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(message));
    expect(asked).toEqual([]);
  });
});

describe("keys", () => {
  test("--token, else SCONCE_TOKEN", async () => {
    await sconce(["list", "--token", "abc"], { SCONCE_TOKEN: "def" });
    await sconce(["list"], { SCONCE_TOKEN: "def" });
    expect(asked.map(({ authorization }) => authorization)).toEqual(["Bearer abc", "Bearer def"]);
  });
});
