/**
 * Python handlers that go wrong, on a real server with TorchServe's own worker: each fault in a batch with good requests,
 * which are answered; and workers that end or are replaced under traffic. Skipped by name where no Python here has torch
 * and torchserve (SCONCE_PYTHON names one). Those that wait for many workers to start run with `npm run test:bars`.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { full } from "../full.js";
import { type Answer, call, jsonOf } from "./client.js";
import { everyThird } from "./every-third.js";
import { eventually, errorOf, repository, Server, sleep } from "./server.js";
import { torchPython } from "./python.js";

/** What a request without a fault is told. */
interface Told {
  readonly pid: number;
  readonly batch: number;
  readonly ready: boolean;
}

describe.skipIf(torchPython === undefined)("handlers of TorchServe's that go wrong", () => {
  /** For what is long at full counts. */
  const long = 1_200_000;
  const store = mkdtempSync(join(tmpdir(), "sconce-faults-"));
  /** While it is there no worker gets its model ready. */
  const gate = join(store, ".gate");
  let server: Server;

  function lay(name: string, yaml: string): void {
    cpSync(join(repository, "test/fixtures/python-handlers/faults"), join(store, name), { recursive: true });
    writeFileSync(join(store, name, "model-config.yaml"), yaml);
    const manifest = { model: { modelName: name, handler: "faults.py", configFile: "model-config.yaml" } };
    writeFileSync(join(store, name, "MAR-INF/MANIFEST.json"), JSON.stringify(manifest));
  }

  beforeAll(async () => {
    lay("together", "minWorkers: 1\nbatchSize: 16\nmaxBatchDelay: 100\n");
    lay("alone", "minWorkers: 2\nbatchSize: 1\n");
    lay("hasty", "minWorkers: 1\nclientTimeoutInMills: 700\n");
    if (full) lay("late", "minWorkers: 1\nresponseTimeout: 1\n");
    const words = ["--model-store", store, "--models", "all", "--poll-model-store", "100ms"];
    const worker = ["--python", torchPython ?? "", "--worker-env", "SCONCE_TEST_GATE"];
    const limits = ["--worker-memory", "3g", "--worker-files", "256"];
    server = await Server.start([...words, ...worker, ...limits], { env: { SCONCE_TEST_GATE: gate } });
  }, 90_000);
  afterAll(async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    rmSync(store, { recursive: true, force: true });
  });

  const ask = (model: string, verb = "tell"): Promise<Answer> =>
    call(server.port, {
      path: `/predictions/${model}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ do: verb }),
    });
  function toldOf(answer: Answer): Told {
    expect([answer.status, answer.body.toString()]).toEqual([200, expect.stringContaining('"ready": true')]);
    return jsonOf(answer) as Told;
  }
  const said = (text: string): number => server.process.stderr.split(text).length - 1;

  test.each([
    ["raise", 503, /Prediction failed/],
    ["refuse", 444, /no such thing/],
    ["shape", 503, /Prediction failed/],
    ["allocate", 507, /Out of resources/],
    ["count", 503, /number of batch response mismatched/],
    ["no list", 503, /Invalid model predict output/],
    ["sockets", 503, /Prediction failed/],
    ["unwritable", 503, /Unsupported model output data type/],
  ])("%s: in a batch with good ones it fails alone", async (verb, status, words) => {
    const answers = await Promise.all(["tell", verb, "tell"].map((each) => ask("together", each)));
    expect(errorOf(answers[1]!)).toMatchObject({ code: status, message: expect.stringMatching(words) });
    // Once more, each alone.
    for (const good of [answers[0]!, answers[2]!]) expect(toldOf(good).batch).toBe(1);
  });

  test("of requests of which every third fails exactly those do, and nothing grows", { timeout: long }, async () => {
    const { pid } = toldOf(await ask("together"));
    const pids = [server.process.pid, pid];
    await everyThird({ good: () => ask("together"), bad: () => ask("together", "raise"), status: 503, pids }, 60);
    expect(toldOf(await ask("together")).pid).toBe(pid);
  });

  test.each(["print", "patch"])("%s: harms nobody, also later", async (verb) => {
    const answers = await Promise.all(["tell", verb, "tell"].map((each) => ask("together", each)));
    expect(answers.map((answer) => toldOf(answer).batch)).toEqual([3, 3, 3]);
    expect(toldOf(await ask("together")).pid).toBe(toldOf(answers[0]!).pid);
  });

  test.runIf(full)("no answer in time: no other model hears of it, and a new worker is started", async () => {
    const [late, others] = await Promise.all([ask("late", "hang"), Promise.all([ask("together"), ask("alone")])]);
    expect(errorOf(late)).toMatchObject({ code: 504, message: expect.stringMatching(/within 1 s.*responseTimeout/) });
    others.forEach(toldOf);
    expect(
      said(
        "the worker did not answer within 1 s (--response-timeout or the model's responseTimeout); another one in 1 s",
      ),
    ).toBe(1);
    await eventually(20_000, "an answer of the new worker", async () =>
      (await ask("late")).status === 200 ? true : undefined,
    );
  });

  test("clientTimeoutInMills: the client is told, and the worker goes on with the next", async () => {
    const { pid } = toldOf(await ask("hasty"));
    const running = ask("hasty", "pause");
    const waiting = sleep(50).then(() => ask("hasty"));
    for (const late of await Promise.all([running, waiting])) {
      expect(errorOf(late)).toMatchObject({
        code: 504,
        message: expect.stringMatching(/0\.7 s .*clientTimeoutInMills/),
      });
    }
    const after = await eventually(10_000, "an answer", async () => {
      const answer = await ask("hasty");
      return answer.status === 200 ? toldOf(answer) : undefined;
    });
    expect(after.pid).toBe(pid);
  });

  // Each costs two workers, the second one for the request alone.
  test.runIf(full).each(["segfault", "leave", "abort"])(
    "%s ends the process: in a batch with good ones it fails alone",
    { timeout: 60_000 },
    async (verb) => {
      const answers = await Promise.all(["tell", verb, "tell"].map((each) => ask("together", each)));
      expect(errorOf(answers[1]!)).toMatchObject({ code: 500, message: "Worker died." });
      for (const good of [answers[0]!, answers[2]!]) expect(toldOf(good).batch).toBe(1);
    },
  );

  test(
    "a worker that ended, and a version that is loaded anew, are replaced by warm ones only",
    { timeout: 60_000 },
    async () => {
      const pids = new Set<number>();
      let over = false;
      const traffic = Promise.all(
        Array.from({ length: 4 }, async () => {
          while (!over) {
            pids.add(toldOf(await ask("alone")).pid);
            await sleep(10);
          }
        }),
      );
      const loads = (): number => said("model_name: alone, batchSize: 1");
      const more = async (): Promise<ReadonlySet<number>> => {
        pids.clear();
        const answers = await Promise.all(Array.from({ length: 50 }, () => ask("alone")));
        return new Set(answers.map((answer) => toldOf(answer).pid));
      };
      expect((await more()).size).toBe(2);

      const before = loads();
      writeFileSync(gate, "");
      expect(errorOf(await ask("alone", "abort"))).toMatchObject({ code: 500, message: "Worker died." });
      await eventually(20_000, "the next worker to load its model", () => (loads() > before ? true : undefined));
      const [left, ...none] = await more();
      expect(none).toEqual([]);
      rmSync(gate);
      await eventually(20_000, "answers of the new worker", () => (pids.size === 2 ? true : undefined));
      expect(pids).toContain(left);

      writeFileSync(gate, "");
      writeFileSync(join(store, "alone/model-config.yaml"), "minWorkers: 1\nbatchSize: 1\n");
      await eventually(20_000, "the version's workers to load", () => (loads() > before + 1 ? true : undefined));
      const old = await more();
      expect(old).toContain(left);
      rmSync(gate);
      await eventually(20_000, "answers of the new version alone", async () => {
        const now = await more();
        return [...now].every((pid) => !old.has(pid)) ? true : undefined;
      });
      over = true;
      await traffic;
    },
  );
});
