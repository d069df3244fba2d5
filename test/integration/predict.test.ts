import { gzipSync, deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelSpec, RawClient, startTestServer, type TestServer } from "./support.js";

let it: TestServer;
beforeAll(async () => {
  it = await startTestServer([
    modelSpec("echo", "echo.pt"),
    modelSpec("echo", "sum.pt", { version: "2.0" }),
    modelSpec("raise", "raise.pt"),
    modelSpec("slow", "slow.pt"),
    modelSpec("loading", "x.pt"),
    modelSpec("failing", "x.pt"),
  ]);
});
afterAll(async () => {
  expect(await it.server.drain()).toBe(0);
});

const predict = (
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  method = "POST",
) => fetch(`${it.base}/predictions/${path}`, { method, body, headers });

describe("a prediction", () => {
  test("answers JSON and names the version that gave it", async () => {
    const answer = await predict("echo", "[1,2.5]", { "content-type": "application/json" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-sconce-model")).toBe("echo/1.0");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual([1, 2.5]);
  });

  test("goes to the version asked for, by POST or PUT, with or without a trailing slash", async () => {
    const answer = await predict("echo/2.0/", "[1,2.5]", {}, "PUT");
    expect(answer.headers.get("x-sconce-model")).toBe("echo/2.0");
    expect(await answer.json()).toBe(3.5);
  });

  test("comes back from a lane too", async () => {
    const answers = await Promise.all([1, 2, 3].map((each) => predict("slow", `[${each}]`)));
    expect(await Promise.all(answers.map((each) => each.json()))).toEqual([[1], [2], [3]]);
  });

  test("reads form and text types as JSON, in pieces as well as whole", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]) {
      expect(await (await predict("echo", "[7]", { "content-type": type })).json()).toEqual([7]);
    }
    const client = await RawClient.connect(it.port);
    client.send("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[1");
    await new Promise((resolve) => setTimeout(resolve, 30));
    client.send(",2]");
    expect((await client.answer()).body).toBe("[1,2]");
    client.socket.destroy();
  });

  test("echoes a decent request id and drops others", async () => {
    const id = async (value: string) =>
      (await predict("echo", "[1]", { "x-request-id": value })).headers.get("x-request-id");
    expect(await id("abc-123")).toBe("abc-123");
    expect(await id("x".repeat(128))).toBe("x".repeat(128));
    expect(await id("x".repeat(129))).toBeNull();
    expect(await id("sp ace")).toBeNull();
  });

  test("inflates gzip and deflate", async () => {
    const gzip = await predict("echo", new Uint8Array(gzipSync("[1,2]")), { "content-encoding": "gzip" });
    expect(await gzip.json()).toEqual([1, 2]);
    const deflate = await predict("echo", new Uint8Array(deflateSync("[3]")), { "content-encoding": "deflate" });
    expect(await deflate.json()).toEqual([3]);
  });
});

describe("what is refused", () => {
  const cases: [
    what: string,
    path: string,
    body: string,
    headers: Record<string, string>,
    status: number,
    words: string,
  ][] = [
    ["not JSON", "echo", "nope", {}, 400, "JSON"],
    ["an unknown model", "nobody", "[1]", {}, 404, "Model not found: nobody"],
    ["an unknown version", "echo/9", "[1]", {}, 404, "Model version: 9 does not exist for model: echo"],
    ["a model still loading", "loading", "[1]", {}, 503, "warm-up"],
    ["a model that failed", "failing", "[1]", {}, 503, "not a model"],
    ["multipart", "echo", "x", { "content-type": "multipart/form-data; boundary=x" }, 400, "multipart body"],
    ["an unknown type", "echo", "x", { "content-type": "text/xml" }, 415, "application/x-npy"],
    ["an unknown coding", "echo", "x", { "content-encoding": "br" }, 415, "gzip"],
    ["two codings", "echo", "x", { "content-encoding": "gzip, gzip" }, 415, "gzip"],
    ["broken gzip", "echo", "xxxx", { "content-encoding": "gzip" }, 400, "gzip"],
    ["an Accept that cannot be met", "echo", "[1]", { accept: "image/png" }, 406, "application/json"],
    ["a model that raises", "raise", "[-1]", {}, 500, "raised"],
    ["a name with a path in it", "..%2f..%2fetc", "[1]", {}, 404, "Model not found"],
    ["a control character", "a%00b", "[1]", {}, 400, "control"],
    ["an escape that is none", "a%zz", "[1]", {}, 400, "escape"],
  ];
  test.each(cases)("%s", async (_what, path, body, headers, status, words) => {
    const answer = await predict(path, body, headers);
    const error = (await answer.json()) as { code: number; type: string; message: string };
    expect(answer.status).toBe(status);
    expect(error.code).toBe(status);
    expect(error.type).toMatch(/Exception$/);
    expect(error.message).toContain(words);
    expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
  });

  test("verbs, with the list of those allowed", async () => {
    const wrong = await fetch(`${it.base}/predictions/echo`, { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST, PUT, OPTIONS"]);
    const ping = await fetch(`${it.base}/ping`, { method: "POST", body: "x" });
    expect([ping.status, ping.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("a body at the limit passes, one byte more does not, with or without a length", async () => {
    const limit = 1 << 20;
    const body = (bytes: number): string => `[${"1".padEnd(bytes - 2)}]`;
    for (const bytes of [limit - 1, limit]) expect((await predict("echo", body(bytes))).status).toBe(200);
    const over = await predict("echo", body(limit + 1));
    expect(over.status).toBe(413);
    expect(((await over.json()) as { message: string }).message).toContain("--max-request-size");
    const stream = new Blob([body(limit + 1)]).stream();
    const chunked = await fetch(`${it.base}/predictions/echo`, {
      method: "POST",
      body: stream,
      duplex: "half",
    });
    expect(chunked.status).toBe(413);
  });

  test("a bomb: over the ratio, and over the limit once inflated", async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(900_000, 32)));
    expect((await predict("echo", bomb, { "content-encoding": "gzip" })).status).toBe(413);
    const big = new Uint8Array(gzipSync(Buffer.alloc((1 << 20) + 1, 32)));
    expect((await predict("echo", big, { "content-encoding": "gzip" })).status).toBe(413);
  });
});

test("OPTIONS on a prediction says what can be done", async () => {
  const answer = await fetch(`${it.base}/predictions/echo`, { method: "OPTIONS" });
  expect([answer.status, answer.headers.get("allow")]).toEqual([200, "POST, PUT, OPTIONS"]);
  expect(Object.keys(((await answer.json()) as { paths: object }).paths)).toEqual(["/predictions/echo"]);
});
