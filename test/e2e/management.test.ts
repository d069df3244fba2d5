/**
 * Management under load, on a real process: nothing that was asked for is lost or answered wrongly while defaults switch,
 * workers come and go and loads fail; and 32 clients that fight over a version and a model leave nothing behind. The figures of the
 * bars (100,000 requests; 256 rounds per client) run with `npm run test:bars`, a tenth of them or less otherwise.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, call, drive, jsonOf, requestBytes } from "./client.js";
import { full } from "../full.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server } from "./server.js";
import { buildZip } from "../unit/archive/zip-builder.js";

const requests = full ? 100_000 : 10_000;
const rounds = full ? 256 : 5;
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

/** The folder of a version as an archive. */
function pack(number: number): void {
  const folder = join(store, `ledger-${number}`);
  const names = ["MAR-INF/MANIFEST.json", "ledger.pt", "model-config.yaml"];
  const entries = names.map((name) => ({ name, data: readFileSync(join(folder, name)) }));
  writeFileSync(`${folder}.mar`, buildZip(entries));
}

beforeAll(() => {
  for (const number of [1, 2, 4]) version(number);
  pack(4);
  version(3);
  writeFileSync(join(store, "ledger-3", "ledger.pt"), "not a model");
});
afterAll(() => rmSync(store, { recursive: true }));

function predict(index: number): Buffer {
  const headers = { "content-type": "application/json" };
  return requestBytes({ path: "/predictions/ledger", headers, body: JSON.stringify(ledgerInput(index)) });
}

const start = (env: Readonly<Record<string, string>> = {}): Promise<Server> =>
  Server.start(["--enable-model-api", "--model-store", store, "--models", "ledger-1", "ledger-2"], { env });

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

test("while a big archive is read, tried and warmed up, other models answer as before", { timeout }, async () => {
  // 96 MiB that are read, hashed and unpacked, then a warm-up of 300 ms on every instance.
  const [big, mib] = [join(store, "big.mar"), 1024 * 1024];
  const model = { modelName: "big", serializedFile: "slow.pt", handler: "base_handler", configFile: "c.yaml" };
  const entries = [
    { name: "MAR-INF/MANIFEST.json", data: JSON.stringify({ model }) },
    { name: "slow.pt", data: readFileSync(`${models}slow.pt`) },
    { name: "warm.json", data: "[300]" },
    {
      name: "c.yaml",
      data: "sconce:\n  warmup: warm.json\n  inputs:\n    - { name: x, dtype: float32, shape: [1] }\n",
    },
    { name: "ballast.bin", data: Buffer.alloc(96 * mib, "ballast") },
  ];
  writeFileSync(big, buildZip(entries));
  const server = await start({ SCONCE_CACHE_DIR: join(store, "..", `${basename(store)}-big`) });
  try {
    const took: { during: boolean; ms: number }[] = [];
    const sentAt = new Map<number, number>();
    let [loading, over] = [false, false];
    const driving = drive({
      port: server.port,
      connections: 4,
      count: 1_000_000,
      request: (index) => {
        sentAt.set(index, performance.now());
        return over ? undefined : predict(index);
      },
      check: (index, answer) => {
        took.push({ during: loading, ms: performance.now() - (sentAt.get(index) ?? 0) });
        return answer.status === 200 ? ledgerFault(index, answer.body) : `${answer.status}: ${answer.body.toString()}`;
      },
    });
    const begun = performance.now();
    loading = true;
    const loaded = await call(server.managementPort, { method: "POST", path: "/models?url=big.mar&initial_workers=1" });
    loading = false;
    const loadMs = performance.now() - begun;
    over = true;
    const tally = await driving;
    expect([loaded.status, loaded.body.toString()]).toEqual([200, expect.stringContaining("1 initial workers")]);
    expect(tally.wrong.slice(0, 5)).toEqual([]);
    expect(tally).toMatchObject({ right: tally.sent, unanswered: [], refused: 0 });
    // No request waits for the load, nor for a part of it: four at a time, hundreds were answered meanwhile.
    const during = took.filter((each) => each.during).map((each) => each.ms);
    expect(Math.max(...during)).toBeLessThan(loadMs / 2);
    expect(during.length).toBeGreaterThan(400);
  } finally {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    rmSync(big);
    rmSync(join(store, "..", `${basename(store)}-big`), { recursive: true, force: true });
  }
});

/** What may come of each call while others do the same. */
const listed: Readonly<Record<string, readonly number[]>> = { POST: [200, 409, 503], DELETE: [200, 404] };
const predicted = [200, 404, 503];
/** A version beside others, and a model with no other. Each is an archive, so that registering unpacks it. */
const fought = [
  { register: "/models?url=ledger-4.mar&initial_workers=1", unregister: "/models/ledger/4", ask: "ledger/4" },
  { register: "/models?url=ledger-4.mar&model_name=solo&initial_workers=1", unregister: "/models/solo", ask: "solo" },
] as const;

interface Held {
  readonly files: number;
  readonly threads: number;
}
const heldBy = ({ process: { pid } }: Server): Held => ({
  files: readdirSync(`/proc/${pid}/fd`).length,
  threads: readdirSync(`/proc/${pid}/task`).length,
});

test(
  `32 clients register and unregister the same: listed outcomes, then whole models, nothing kept`,
  { timeout },
  async () => {
    const cache = join(store, "..", `${basename(store)}-cache`);
    const server = await start({ SCONCE_CACHE_DIR: cache });
    const manage = (method: string, path: string): Promise<Answer> => call(server.managementPort, { method, path });
    const body = JSON.stringify(ledgerInput(7));
    const right = async (name: string): Promise<void> => {
      const answer = await call(server.port, { path: `/predictions/${name}`, body });
      expect([answer.status, ledgerFault(7, answer.body)]).toEqual([200, undefined]);
    };
    const strange: string[] = [];
    const note = (answer: Answer, allowed: readonly number[]): void => {
      if (!allowed.includes(answer.status)) strange.push(`${answer.status} ${answer.body.toString().slice(0, 200)}`);
    };
    try {
      // Once each before the count begins: what is made at first use is there.
      for (const { register, unregister } of fought) {
        expect((await manage("POST", register)).status).toBe(200);
        expect((await manage("DELETE", unregister)).status).toBe(200);
      }
      const [held, kib] = [heldBy(server), server.rssKib()];
      const state = { over: false };
      const traffic = fought.map(async ({ ask }) => {
        while (!state.over) {
          note(await call(server.port, { path: `/predictions/${ask}`, body }), predicted);
          await right("ledger");
        }
      });
      const client = async (_: unknown, index: number): Promise<void> => {
        const { register, unregister } = fought[index % fought.length] ?? fought[0];
        for (let round = 0; round < rounds; round++) {
          note(await manage("POST", register), listed["POST"] ?? []);
          note(await manage("DELETE", unregister), listed["DELETE"] ?? []);
        }
      };
      await Promise.all(Array.from({ length: 32 }, client));
      state.over = true;
      await Promise.all(traffic);
      expect(strange.slice(0, 5)).toEqual([]);
      await eventually(10_000, "the models that it began with", async () => {
        for (const { unregister } of fought) await manage("DELETE", unregister);
        const left = jsonOf(await manage("GET", "/models")) as { models: { modelName: string }[] };
        const described = jsonOf(await manage("GET", "/models/ledger/all")) as { modelVersion: string }[];
        const seen = [...left.models.map((each) => each.modelName), ...described.map((each) => each.modelVersion)];
        return seen.join() === "ledger,1,2" ? true : undefined;
      });
      expect(await server.idle()).toBe(true);
      await eventually(10_000, "no file or thread more than before", () => {
        const now = heldBy(server);
        return now.files <= held.files && now.threads <= held.threads ? true : undefined;
      });
      expect(readdirSync(join(cache, "incoming"))).toEqual([]);
      expect(readdirSync(join(cache, "models"))).toHaveLength(1);
      console.log(`${rounds} rounds: ${kib} KiB before, ${server.rssKib()} KiB after`);
      for (const { register, ask } of fought) {
        expect((await manage("POST", register)).status).toBe(200);
        await right(ask);
      }
    } finally {
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      rmSync(cache, { recursive: true, force: true });
    }
  },
);
