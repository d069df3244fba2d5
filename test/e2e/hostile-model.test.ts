/** Cases 33, 34, 36: model files that are none, models that raise, and answers that cannot be split. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { refuses, stillServes } from "./hostile.js";
import { errorOf, models, Server, ServerProcess } from "./server.js";

const folder = mkdtempSync(`${tmpdir()}/sconce-models-`);
afterAll(() => rmSync(folder, { recursive: true }));

const sound = readFileSync(`${models}ledger.pt`);

/** One bit of every 97th byte turned over, from the middle on (past the zip's first headers). */
function bitFlipped(): Buffer {
  const bytes = Buffer.from(sound);
  for (let at = bytes.length >> 1; at < bytes.length; at += 97) bytes[at] = (bytes[at] ?? 0) ^ 4;
  return bytes;
}

const broken: readonly (readonly [string, Buffer])[] = [
  ["empty", Buffer.alloc(0)],
  ["one_byte", Buffer.from("P")],
  ["truncated", sound.subarray(0, sound.length - 4096)],
  ["cut_in_half", sound.subarray(0, sound.length >> 1)],
  ["bit_flipped", bitFlipped()],
  ["text", Buffer.from("this is no model\n".repeat(100))],
  ["pickle", Buffer.from("80027d71002e", "hex")],
  ["zip_of_nothing", Buffer.from(`504b0506${"00".repeat(18)}`, "hex")],
  ["zeros", Buffer.alloc(100_000)],
];

describe("case 33: a file that is no model stops the start, naming file and reason", () => {
  test.each(broken)("%s", { timeout: 60_000 }, async (name, bytes) => {
    const file = `${folder}/${name}.pt`;
    writeFileSync(file, bytes);
    const server = new ServerProcess([file]);
    const exit = await server.ended(50_000);
    expect(exit.signal, server.output).toBeNull();
    expect(exit.code, server.output).toBeGreaterThan(0);
    expect(server.stderr).toContain(`${name}.pt`);
    expect(server.stdout).not.toContain("sconce ready");
    expect(server.stderr).not.toMatch(/terminate called|Segmentation|core dumped|    at .*\.js:/);
  });

  test("a missing file is named", async () => {
    const server = new ServerProcess([`${folder}/absent.pt`]);
    expect((await server.ended(30_000)).code).toBeGreaterThan(0);
    expect(server.stderr).toContain("absent.pt");
  });
});

describe("case 34: an operator that this process does not have", () => {
  test("stops the start with the operator's name", { timeout: 60_000 }, async () => {
    const server = new ServerProcess([`${models}missing_op.pt`]);
    expect((await server.ended(50_000)).code).toBeGreaterThan(0);
    expect(server.stderr).toMatch(/missing_op\.pt/);
    expect(server.stderr).toMatch(/nowhere::twice/);
  });
});

describe("a store with broken models serves the others", () => {
  test("--models all: partial health, the reason listed; --strict makes it fatal", { timeout: 90_000 }, async () => {
    const store = mkdtempSync(`${folder}/store-`);
    for (const file of ["ledger.pt", "ledger.yaml"]) writeFileSync(`${store}/${file}`, readFileSync(models + file));
    for (const [name, bytes] of broken.slice(0, 4)) writeFileSync(`${store}/${name}.pt`, bytes);
    const server = await Server.start(["--model-store", store, "--models", "all"]);
    try {
      const ping = await call(server.port, { path: "/ping" });
      expect([ping.status, jsonOf(ping)]).toEqual([200, { status: "Partial Healthy" }]);
      await stillServes(server);
      await refuses(server, { path: "/predictions/truncated", body: "[1]" }, { status: 503 });
      const listed = (await call(server.managementPort, { path: "/models/truncated" })).body.toString();
      expect(listed).toMatch(/fail/i);
    } finally {
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    }
    const strict = new ServerProcess(["--model-store", store, "--models", "all", "--strict"]);
    expect((await strict.ended(50_000)).code).toBeGreaterThan(0);
  });
});

describe("case 36: models that misbehave", () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start(["ledger", "moody"].map((name) => `${models}${name}.pt`));
  });
  afterAll(async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  test("one that raises is 500 with its words and no paths", async () => {
    const answer = await call(server.port, { path: "/predictions/moody", body: "[101,1]" });
    expect(answer.status).toBe(500);
    expect(answer.body.toString()).toMatch(/refuses numbers over 100/);
    expect(answer.body.toString()).not.toMatch(/\/(home|tmp|root|usr|work|workspace)\//);
    const several = await call(server.port, {
      path: "/predictions/moody",
      body: '{"instances":[[1,1],[1,1],[101,1]]}',
    });
    expect([several.status, errorOf(several).message]).toEqual([500, expect.stringMatching(/^instance 2: .*over 100/)]);
    await stillServes(server);
  });

  test("in a batch only the sample that raises fails", { timeout: 60_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          call(server.port, { path: "/predictions/moody", body: i % 10 === 3 ? "[101,1]" : "[1,1]" }),
        ),
      );
      for (const [i, answer] of answers.entries()) {
        if (i % 10 === 3) expect(answer.status).toBe(500);
        else expect([answer.status, jsonOf(answer)]).toEqual([200, [0, 0]]);
      }
    }
    await stillServes(server);
  });

  test.each([
    ["lopsided", /output/],
    ["imaginary", /forward\(\) returns values of type complex/],
  ])("%s is refused at load or answers 500, naming the output", { timeout: 60_000 }, async (name, words) => {
    const other = new ServerProcess([`${models}ledger.pt`, `${models}${name}.pt`]);
    const outcome = await Promise.race([
      other.exited,
      other.printed(/^sconce ready:.*$/m, 50_000).catch(() => undefined),
    ]);
    if (outcome !== undefined && "code" in outcome) {
      expect(outcome.code).toBeGreaterThan(0);
      expect(other.stderr).toMatch(words);
      return;
    }
    const ready = new Server(other, outcome?.[0] ?? "");
    await refuses(ready, { path: `/predictions/${name}`, body: "[1,2]" }, { status: 500, says: [words] });
    expect(await other.stop()).toEqual({ code: 0, signal: null });
  });
});
