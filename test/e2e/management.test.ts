/**
 * Management under load, on a real process: nothing that was asked for is lost or answered wrongly while defaults switch,
 * workers come and go and loads fail; and 32 clients that fight over one model leave it whole. The figures of the
 * release bar run with SCONCE_TEST_FULL=1 (100,000 requests; 256 rounds per client), a tenth of them otherwise.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, drive, jsonOf, requestBytes } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server } from "./server.js";

const full = process.env["SCONCE_TEST_FULL"] === "1";
const requests = full ? 100_000 : 10_000;
const rounds = full ? 256 : 12;
const timeout = full ? 1_800_000 : 120_000;

const store = mkdtempSync(join(tmpdir(), "sconce-management-"));

function version(number: number): void {
  const folder = join(store, `ledger-${number}`);
  mkdirSync(join(folder, "MAR-INF"), { recursive: true });
  cpSync(`${models}ledger.pt`, join(folder, "ledger.pt"));
  cpSync(`${models}ledger.yaml`, join(folder, "model-config.yaml"));
  const model = {
    modelName: "ledger",
    modelVersion: String(number),
    serializedFile: "ledger.pt",
    handler: "base_handler",
    configFile: "model-config.yaml",
  };
  writeFileSync(join(folder, "MAR-INF", "MANIFEST.json"), JSON.stringify({ model }));
}

beforeAll(() => {
  for (const number of [1, 2, 4]) version(number);
  version(3);
  writeFileSync(join(store, "ledger-3", "ledger.pt"), "not a model");
});
afterAll(() => rmSync(store, { recursive: true }));

function predict(index: number): Buffer {
  const headers = { "content-type": "application/json" };
  return requestBytes({ path: "/predictions/ledger", headers, body: JSON.stringify(ledgerInput(index)) });
}

const start = (): Promise<Server> =>
  Server.start(["--enable-model-api", "--model-store", store, "--models", "ledger-1", "ledger-2"]);

test(
  "20 default switches, 10 times 1 → 4 → 1 workers, 5 failing loads under load: no request fails",
  { timeout },
  async () => {
    const server = await start();
    try {
      const ask = (method: string, path: string): Promise<Answer> => call(server.managementPort, { method, path });
      let over = false;
      const driving = drive({
        port: server.port,
        connections: 32,
        count: full ? 1_000_000_000 : requests * 100,
        request: (index) => (over && index >= requests ? undefined : predict(index)),
        check: (index, answer) =>
          answer.status === 200 ? ledgerFault(index, answer.body) : `${answer.status}: ${answer.body.toString()}`,
      });
      for (let round = 0; round < 20; round++) {
        const version = round % 2 === 0 ? "2" : "1";
        expect((await ask("PUT", `/models/ledger/${version}/set-default`)).status).toBe(200);
        // The answer means that every HTTP thread sees it: a new connection meets the new default.
        const seen = await call(server.port, { path: "/predictions/ledger", body: JSON.stringify(ledgerInput(round)) });
        expect(seen.headers.get("x-sconce-model")).toBe(`ledger/${version}`);
        if (round % 2 === 0) {
          for (const workers of [4, 1]) {
            const scaled = await ask("PUT", `/models/ledger/${version}?min_worker=${workers}&synchronous=true`);
            expect([scaled.status, scaled.body.toString()]).toEqual([
              200,
              expect.stringContaining(`to ${workers} for`),
            ]);
          }
        }
        if (round % 4 === 0) expect((await ask("POST", "/models?url=ledger-3&initial_workers=1")).status).toBe(400);
      }
      over = true;
      const tally = await driving;
      expect(tally.wrong.slice(0, 5)).toEqual([]);
      expect(tally).toMatchObject({ right: tally.sent, unanswered: [], refused: 0 });
      expect(tally.sent).toBeGreaterThanOrEqual(requests);
      const described = jsonOf(await ask("GET", "/models/ledger/all")) as { modelVersion: string }[];
      expect(described.map((each) => each.modelVersion)).toEqual(["1", "2"]);
    } finally {
      expect(await server.stop()).toEqual({ code: 0, signal: null });
    }
  },
);

/** What may come of each call while others do the same. */
const listed: Readonly<Record<string, readonly number[]>> = { POST: [200, 409, 503], DELETE: [200, 403, 404] };
const predicted = [200, 404, 503];

test(`32 clients register and unregister one version: listed outcomes, then a whole model`, { timeout }, async () => {
  const server = await start();
  try {
    const strange: string[] = [];
    const note = (answer: Answer, allowed: readonly number[]): void => {
      if (!allowed.includes(answer.status)) strange.push(`${answer.status} ${answer.body.toString().slice(0, 200)}`);
    };
    const state = { over: false };
    const traffic = (async () => {
      while (!state.over) {
        const body = JSON.stringify(ledgerInput(7));
        note(await call(server.port, { path: "/predictions/ledger/4", body }), predicted);
        const other = await call(server.port, { path: "/predictions/ledger", body });
        expect([other.status, ledgerFault(7, other.body)]).toEqual([200, undefined]);
      }
    })();
    const client = async (): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const register = { method: "POST", path: "/models?url=ledger-4&initial_workers=1" };
        note(await call(server.managementPort, register), listed["POST"] ?? []);
        const unregister = { method: "DELETE", path: "/models/ledger/4" };
        note(await call(server.managementPort, unregister), listed["DELETE"] ?? []);
      }
    };
    await Promise.all(Array.from({ length: 32 }, client));
    state.over = true;
    await traffic;
    expect(strange.slice(0, 5)).toEqual([]);
    await eventually(10_000, "the model with the versions it began with", async () => {
      await call(server.managementPort, { method: "DELETE", path: "/models/ledger/4" });
      const described = jsonOf(await call(server.managementPort, { path: "/models/ledger/all" })) as {
        modelVersion: string;
      }[];
      return described.map((each) => each.modelVersion).join() === "1,2" ? true : undefined;
    });
    expect(await server.idle()).toBe(true);
    const again = await call(server.managementPort, { method: "POST", path: "/models?url=ledger-4&initial_workers=1" });
    expect(again.status).toBe(200);
  } finally {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  }
});
