/** Against a real HTTP server on loopback, which does what each case needs. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseAllowList } from "../../../src/download/allow-list.js";
import { fetchModel, type FetchOptions } from "../../../src/download/fetch-model.js";

const root = mkdtempSync(join(tmpdir(), "sconce-fetch-"));
const content = Buffer.alloc(200_000, "0123456789abcdef");
const sha256 = createHash("sha256").update(content).digest("hex");
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
let requests: IncomingMessage[] = [];
const server = createServer((request, response) => {
  requests.push(request);
  answer(request, response);
});
let base = "";
let serial = 0;
let folder = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  folder = join(root, String(serial++));
  answer = (_, response) => response.end(content);
});

function get(path: string, more: Partial<FetchOptions> = {}) {
  const signal = new AbortController().signal;
  const allow = parseAllowList([`${base}/models/`]);
  return fetchModel(path.includes("://") ? path : `${base}${path}`, {
    allow,
    folder,
    maxBytes: 1_000_000,
    timeoutMs: 10_000,
    retryDelayMs: 1,
    signal,
    ...more,
  });
}

const left = (): string[] => (readdirSync(root).includes(folder.slice(root.length + 1)) ? readdirSync(folder) : []);

describe("over HTTP", () => {
  test("a file lies in the cache under its digest, and is named without its query", async () => {
    const found = await get("/models/a.mar?signature=s3cret");
    expect(readFileSync(found.path)).toEqual(content);
    expect(found).toMatchObject({ path: join(folder, sha256, "a.mar"), shown: `${base}/models/a.mar`, pinned: false });
    expect(left()).toEqual([sha256]);
    await found.discard();
    expect(left()).toEqual([]);
  });

  test("a pinned file that is there is not asked for again", async () => {
    for (let i = 0; i < 3; i++) expect((await get(`/models/a.mar#sha256=${sha256}`)).pinned).toBe(true);
    expect(requests).toHaveLength(1);
    writeFileSync(join(folder, sha256, "a.mar"), "half of it");
    expect(readFileSync((await get(`/models/a.mar#sha256=${sha256}`)).path)).toEqual(content);
  });

  test("several at once end in one file", async () => {
    const found = await Promise.all([1, 2, 3, 4].map(() => get("/models/a.mar")));
    expect(new Set(found.map((each) => each.path)).size).toBe(1);
    expect(left()).toEqual([sha256]);
  });

  test("a broken connection is taken up where it broke", async () => {
    answer = (request, response) => {
      const start = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      const headers = { etag: '"v1"', "content-length": content.length - start };
      const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
      response.writeHead(start === 0 ? 200 : 206, start === 0 ? headers : { ...headers, ...range });
      const part = content.subarray(start, start + 70_000);
      if (start + part.length === content.length) response.end(part);
      else response.write(part, () => setTimeout(() => response.destroy(), 20));
    };
    expect(readFileSync((await get("/models/a.mar")).path)).toEqual(content);
    expect(requests.length).toBeGreaterThan(1);
    expect(requests[1]?.headers).toMatchObject({
      range: expect.stringMatching(/^bytes=\d+-$/) as string,
      "if-range": '"v1"',
    });
  });

  test("a file that changed in between starts again", async () => {
    answer = (_, response) => {
      const last = requests.length > 1;
      response.writeHead(200, { etag: `"v${requests.length}"`, "content-length": content.length });
      if (last) response.end(content);
      else response.write(Buffer.alloc(70_000, "x"), () => setTimeout(() => response.destroy(), 20));
    };
    expect(readFileSync((await get("/models/a.mar")).path)).toEqual(content);
  });

  test("a server that answers 500 is asked again, five times", async () => {
    answer = (_, response) => {
      if (requests.length < 3) response.writeHead(503).end();
      else response.end(content);
    };
    expect(readFileSync((await get("/models/a.mar")).path)).toEqual(content);
    requests = [];
    answer = (_, response) => void response.writeHead(500).end();
    await expect(get("/models/b.mar")).rejects.toThrow(/the server answers 500/);
    expect(requests).toHaveLength(5);
  });

  test.each<[string, string, (response: ServerResponse) => void, RegExp]>([
    [
      "a redirect",
      "/models/a.mar",
      (r) => r.writeHead(302, { location: "http://169.254.169.254/" }).end(),
      /redirects \(302/,
    ],
    ["a missing file", "/models/a.mar", (r) => r.writeHead(404).end(), /answers 404/],
    [
      "a declared size over the limit",
      "/models/a.mar",
      (r) => r.writeHead(200, { "content-length": 1_000_001 }).end(),
      /max-download-size/,
    ],
    ["bytes over the limit", "/models/a.mar", (r) => r.end(Buffer.alloc(1_000_001)), /max-download-size/],
    [
      "an encoding",
      "/models/a.mar",
      (r) => r.writeHead(200, { "content-encoding": "gzip" }).end("x"),
      /encoded \(gzip\)/,
    ],
    ["other bytes than pinned", `/models/a.mar#sha256=${"0".repeat(64)}`, (r) => r.end(content), /its SHA-256 is/],
    [
      "a part unasked",
      "/models/a.mar",
      (r) => r.writeHead(206, { "content-range": "bytes 5-9/10" }).end("x"),
      /another part/,
    ],
    ["no file's name", "/models/", (r) => r.end(content), /must end in a file's name/],
    ["a hidden name", "/models/.a.mar", (r) => r.end(content), /must end in a file's name/],
  ])("%s is refused, and leaves nothing", async (_, path, reply, words) => {
    answer = (__, response) => reply(response);
    await expect(get(path)).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(words) as string,
    });
    expect(left()).toEqual([]);
    expect(requests.length).toBeLessThan(2);
  });

  test("outside the list nobody is asked", async () => {
    await expect(get("/other/a.mar")).rejects.toMatchObject({ code: "model_not_found" });
    await expect(get("/models/%2e%2e/other/a.mar")).rejects.toThrow(/Relative path/);
    await expect(get("/models/a.mar", { allow: parseAllowList([]) })).rejects.toThrow(/does not match any allowed/);
    await expect(get("/models/a.mar", { allow: parseAllowList([".*"]) })).rejects.toThrow(
      /private address 127\.0\.0\.1/,
    );
    expect(requests).toEqual([]);
  });

  test("a name is resolved once, and that address is connected to", async () => {
    let asked = 0;
    const resolve = () => Promise.resolve([{ address: asked++ === 0 ? "127.0.0.1" : "169.254.169.254", family: 4 }]);
    const url = `${base.replace("127.0.0.1", "models.example.com")}/models/a.mar`;
    const allow = parseAllowList([url, "127.0.0.1"]);
    expect(readFileSync((await get(url, { allow, resolve })).path)).toEqual(content);
    expect({ asked, host: requests[0]?.headers.host }).toEqual({ asked: 1, host: new URL(url).host });
  });

  test("too slow, and cancelled", async () => {
    answer = (_, response) => void response.write("x");
    await expect(get("/models/a.mar", { timeoutMs: 100 })).rejects.toThrow(
      /not there within 0\.1 s \(--download-timeout/,
    );
    const abort = new AbortController();
    const going = get("/models/a.mar", { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(going).rejects.toMatchObject({ code: "cancelled" });
    expect(left()).toEqual([]);
  });
});

describe("file URLs", () => {
  const files = join(root, "files");
  mkdirSync(join(files, "store"), { recursive: true });
  mkdirSync(join(files, "store-private"));
  writeFileSync(join(files, "store/a.mar"), content);
  writeFileSync(join(files, "store-private/b.mar"), content);
  symlinkSync(join(files, "store-private/b.mar"), join(files, "store/link.mar"));
  const allow = parseAllowList([pathToFileURL(join(files, "store")).href]);
  const url = (name: string): string => pathToFileURL(join(files, name)).href;

  test("the file itself, if its bytes are those that are asked for", async () => {
    expect((await get(`${url("store/a.mar")}#sha256=${sha256}`, { allow })).path).toBe(join(files, "store/a.mar"));
    await expect(get(`${url("store/a.mar")}#sha256=${"0".repeat(64)}`, { allow })).rejects.toThrow(/its SHA-256 is/);
  });

  test.each([
    ["a sibling whose name begins alike", "store-private/b.mar", /does not match any allowed/],
    ["a link to elsewhere", "store/link.mar", /a link to elsewhere/],
    ["nothing", "store/none.mar", /Model not found at/],
  ])("%s is refused", async (_, name, words) => {
    await expect(get(url(name), { allow })).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringMatching(words) as string,
    });
  });
});
