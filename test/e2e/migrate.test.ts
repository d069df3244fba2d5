/**
 * A TorchServe deployment as its users have it (config.properties, a model store of what torch-model-archiver packed):
 * `sconce migrate check` says what will work, and the same deployment, started by TorchServe's command, does just that.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { entry, freePorts, nodeBinary, repository, Server } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-deployment-"));
const store = join(root, "model-store");
const mar = ["deflated", "stored", "configured", "extras", "labelled", "required"];
const others = ["custom", "eager", "checkpoint", "cpp", "text"];

// The one of a machine without Python, whatever this one has.
const missing = join(root, "no-python");
const noSuchPython = /no-python\) cannot run it: there is no such program/;

/** What each model of the sample is, for whoever reads the report. */
const expected = {
  configured: ["works", undefined],
  deflated: ["works", undefined],
  digits: ["works", undefined],
  extras: ["works", undefined],
  folder: ["works", undefined],
  labelled: ["works", undefined],
  required: ["works", undefined],
  stored: ["works", undefined],
  tarred: ["works", undefined],
  custom: ["needs Python", noSuchPython],
  eager: ["needs Python", noSuchPython],
  "handler-only": ["needs Python", noSuchPython],
  text: ["will not work", /tokenizer\.json/],
  checkpoint: ["will not work", /torch\.save checkpoint/],
  cpp: ["will not work", /runtime is LSP/],
} as const;

const configuration = (ports: readonly number[]): string => `# As in the Docker image, but for the ports.
inference_address=http://127.0.0.1:${ports[0]}
management_address=http://127.0.0.1:${ports[1]}
metrics_address=http://127.0.0.1:${ports[2]}
grpc_inference_port=${ports[3]}
grpc_management_port=${ports[4]}
number_of_netty_threads=2
job_queue_size=1000
enable_envvars_config=true
model_store=$$SAMPLE_STORE$$
workflow_store=/home/model-server/wf-store
load_models=ALL
models={\\
  "deflated": {\\
    "1.0": { "defaultVersion": true, "marName": "deflated.mar", "minWorkers": 1, "maxWorkers": 2, "batchSize": 4, \\
             "maxBatchDelay": 5, "responseTimeout": 30 }\\
  }\\
}
`;

beforeAll(async () => {
  mkdirSync(store);
  const fixtures = join(repository, "test/fixtures/archiver");
  for (const name of [...mar, ...others]) cpSync(join(fixtures, `${name}.mar`), join(store, `${name}.mar`));
  for (const name of ["tarred.tar.gz", "handler-only.tar.gz", "folder"]) {
    cpSync(join(fixtures, name), join(store, name), { recursive: true });
  }
  cpSync(join(repository, "examples/digits/digits.mar"), join(store, "digits.mar"));
  writeFileSync(join(root, "config.properties"), configuration(await freePorts(5)));
});
afterAll(() => rmSync(root, { recursive: true }));

const env = {
  SAMPLE_STORE: store,
  SCONCE_CACHE_DIR: join(root, "cache"),
  SCONCE_PYTHON: missing,
  TS_JOB_QUEUE_SIZE: "77",
};

interface Report {
  readonly refused?: string;
  readonly notes: readonly string[];
  readonly models: readonly {
    readonly model?: string;
    readonly path: string;
    readonly verdict: string;
    readonly reason?: string;
  }[];
}

function report(): Promise<{ readonly code: number; readonly out: Report }> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    execFile(nodeBinary, [entry, "migrate", "check", root, "--json"], options, (error, stdout) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out: JSON.parse(stdout) as Report });
    });
  });
}

const nameOf = (path: string): string => path.replace(/^.*\//, "").replace(/\..*$/, "");

test("the report is right, and the deployment then serves as it stands", { timeout: 120_000 }, async () => {
  const { code, out } = await report();
  expect([code, out.refused]).toEqual([1, undefined]);
  expect(out.notes.some((note) => note.includes("workflow_store is not used"))).toBe(true);
  expect(out.models.map(({ path }) => nameOf(path)).sort()).toEqual(Object.keys(expected).sort());
  for (const { path, verdict, reason = "" } of out.models) {
    const [wanted, words] = expected[nameOf(path) as keyof typeof expected];
    expect([path, verdict, reason], reason).toEqual([path, wanted, expect.stringMatching(words ?? /^$/)]);
  }

  const words = ["--ts-config", join(root, "config.properties"), "--ncs", "--disable-token-auth"];
  const server = await Server.start(words, { env, ownPorts: true, readyWithinMs: 90_000 });
  try {
    for (const { path, verdict, reason = "" } of out.models) {
      const name = nameOf(path);
      const answer = await call(server.managementPort, { path: `/models/${name}` });
      const [described] = jsonOf(answer) as { sconce: { state: string; reason?: string }; workers: object[] }[];
      expect([name, described?.sconce.state]).toEqual([name, verdict === "works" ? "ready" : "failed"]);
      // What does not work fails for the reason that the report gave.
      if (verdict !== "works") expect(described?.sconce.reason).toContain(reason.slice(reason.indexOf(": ")));
    }
    // Each that works answers, with the configuration's figures.
    // The pictures' model takes what is left of any picture.
    const picture = readFileSync(join(repository, "examples/digits/7.png"));
    for (const { path, verdict } of out.models) {
      if (verdict !== "works") continue;
      const name = nameOf(path);
      const body = ["digits", "labelled"].includes(name) ? picture : "[0.5, -1, 2, 0]";
      const answer = await call(server.port, { path: `/predictions/${name}`, body });
      expect([name, answer.status], answer.body.toString()).toEqual([name, 200]);
    }
    const described = await call(server.managementPort, { path: "/models/deflated" });
    expect(jsonOf(described)).toMatchObject([
      { minWorkers: 1, maxWorkers: 2, batchSize: 4, maxBatchDelay: 5, responseTimeout: 30, modelUrl: "deflated.mar" },
    ]);
    expect(jsonOf(described)).toMatchObject([{ jobQueueStatus: { remainingCapacity: 77 } }]);
  } finally {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  }
});
