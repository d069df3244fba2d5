import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contentTypeOf, predict, predictionUrl } from "../../../src/cli/predict.js";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-predict-"));
const file = join(folder, "x.json");
writeFileSync(file, "[1]");
let server: Server;
let last: IncomingMessage | undefined;
let url = "";

beforeAll(async () => {
  server = createServer((request, response) => {
    last = request;
    const missing = request.url?.includes("missing") === true;
    response.writeHead(missing ? 404 : 200, { "content-type": "application/json" });
    request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(...words: string[]) {
  const { terminal, out, err } = fakeTerminal();
  const code = await predict([...words, "--url", url], terminal);
  return { code, out: out(), err: err() };
}

describe("predict", () => {
  test("a file that is not there is said without a stack", async () => {
    const { terminal, err } = fakeTerminal();
    const none = join(folder, "none.json");
    expect(await run(["predict", "m", none, "--url", url], terminal)).toBe(1);
    expect(err()).toBe(`sconce: ENOENT: no such file or directory, open '${none}'\n`);
  });

  test("sends the file with its type and prints the answer", async () => {
    expect(await ask("m/2.0", file, "--accept", "application/x-npy")).toEqual({ code: 0, out: "[1]\n", err: "" });
    expect(last?.method).toBe("POST");
    expect(last?.url).toBe("/predictions/m/2.0");
    expect(last?.headers).toMatchObject({ "content-type": "application/json", accept: "application/x-npy" });
  });

  test("an error's answer goes to standard error", async () => {
    expect(await ask("missing", file)).toEqual({ code: 1, out: "", err: "sconce: HTTP 404: [1]\n" });
    const told = join(folder, "error.json");
    writeFileSync(told, '{"code": 404, "type": "ModelNotFoundException", "message": "Model not found: missing"}');
    expect(await ask("missing", told)).toMatchObject({ err: "sconce: HTTP 404: Model not found: missing\n" });
  });

  test("no server: says where it looked", async () => {
    const { terminal, err } = fakeTerminal({ env: { SCONCE_PORT: "1" } });
    expect(await predict(["m", file], terminal)).toBe(1);
    expect(err()).toMatch(/^sconce: http:\/\/127\.0\.0\.1:1\/predictions\/m: .*is the server running/);
  });
});

test("predictionUrl escapes names and refuses what is none", () => {
  expect(predictionUrl("http://h:1/", "a b").href).toBe("http://h:1/predictions/a%20b");
  expect(() => predictionUrl("nonsense", "m")).toThrow(/--url/);
  expect(() => predictionUrl("http://h", "a/b/c")).toThrow(/NAME or NAME\/VERSION/);
});

test("types by ending", () => {
  expect(contentTypeOf("A.PNG")).toBe("image/png");
  expect(contentTypeOf("a.txt")).toBeUndefined();
});
