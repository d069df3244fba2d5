/** `torchserve --start`, `--stop`, `--version` as scripts use them, on a real server in the background. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { call } from "./client.js";
import { eventually, freePorts, models, nodeBinary, repository } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
const pidFile = join(root, ".model_server.pid");
mkdirSync(join(root, "store"));
for (const file of ["ledger.pt", "ledger.yaml"]) copyFileSync(`${models}${file}`, join(root, "store", file));

let commands = 0;

function torchserve(...words: string[]) {
  const env = { ...process.env, TMPDIR: root, NO_COLOR: "1", LOG_LOCATION: "", METRICS_LOCATION: "measured" };
  // Files take what the server in the background says: a pipe would stay open as long as it runs. Each command has its own.
  const files = { out: join(root, `out${++commands}.txt`), err: join(root, `err${commands}.txt`) };
  const script = '"$0" "$@" > "$OUT" 2> "$ERR"';
  const argv = ["-c", script, nodeBinary, `${repository}dist/torchserve.js`, ...words];
  const { status } = spawnSync("bash", argv, {
    cwd: root,
    env: { ...env, OUT: files.out, ERR: files.err },
    timeout: 60_000,
  });
  return { status, files, out: readFileSync(files.out, "utf8"), err: readFileSync(files.err, "utf8") };
}

afterAll(() => {
  torchserve("--stop");
  rmSync(root, { recursive: true, force: true });
});

test("start, start again, stop, stop again", { timeout: 120_000 }, async () => {
  const [inference = 0, management = 0, metrics = 0] = await freePorts(3);
  const addresses = { inference, management, metrics };
  const lines = Object.entries(addresses).map(([api, port]) => `${api}_address=http://127.0.0.1:${port}`);
  writeFileSync(
    join(root, "config.properties"),
    `${[...lines, "grpc_inference_port=0", "grpc_management_port=0"].join("\n")}\n`,
  );
  const words = ["--start", "--ncs", "--model-store", "store", "--models", "ledger=ledger.pt"];

  const started = torchserve(...words);
  expect(started, started.err).toMatchObject({ status: 0 });
  const said = () => readFileSync(started.files.out, "utf8");
  expect(said()).toContain("Model server started.\n");
  // Tokens are on, as the command's users know it; the keys lie in the working directory.
  const keys = JSON.parse(readFileSync(join(root, "key_file.json"), "utf8")) as { inference: { key: string } };
  const headers = { authorization: `Bearer ${keys.inference.key}` };
  expect((await call(inference, { path: "/ping" })).status).toBe(400);
  await eventually(30_000, "the model", async () =>
    (await call(inference, { path: "/ping", headers })).status === 200 ? true : undefined,
  );

  const again = torchserve(...words);
  expect(again.status).toBe(1);
  expect(again.out).toBe("TorchServe has already started, please use torchserve --stop to stop TorchServe.\n");

  expect(torchserve("--stop")).toMatchObject({ status: 0, out: "TorchServe has stopped.\n" });
  expect(existsSync(pidFile)).toBe(false);
  expect(existsSync(join(root, "key_file.json"))).toBe(false);
  expect(torchserve("--stop")).toMatchObject({ status: 0, out: "TorchServe is not currently running.\n" });
  checkLogs(said());
});

/** TorchServe's files, in its form. */
function checkLogs(said: string): void {
  // TorchServe's console is standard output.
  expect(said).toMatch(/^\S+ \[INFO \] http ACCESS_LOG - \/127\.0\.0\.1 "GET \/ping HTTP\/1\.1" 400 \d+$/m);
  expect(said).toMatch(/^\S+ \[INFO \] main sconce - model ready model=ledger/m);

  expect(readdirSync(join(root, "logs")).sort()).toEqual(["access_log.log", "model_log.log", "ts_log.log"]);
  expect(readdirSync(join(root, "measured")).sort()).toEqual(["model_metrics.log", "ts_metrics.log"]);
  const access = readFileSync(join(root, "logs", "access_log.log"), "utf8");
  expect(access).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8},\d{3} - \/127\.0\.0\.1 "GET \/ping HTTP\/1\.1" 400 \d+$/m);
  const log = readFileSync(join(root, "logs", "ts_log.log"), "utf8");
  expect(log).toMatch(/^\S+ \[INFO \] main sconce - model ready model=ledger/m);
  expect(log).not.toContain("/ping");
  expect(readFileSync(join(root, "measured", "ts_metrics.log"), "utf8")).toMatch(
    /^\S{23} - Requests4XX\.Count:1\.0\|#Level:Host\|#hostname:/m,
  );
}

test("a start that cannot be says so with its code, and leaves no pid file", { timeout: 60_000 }, () => {
  const wrong = torchserve("--start", "--models", "all");
  expect(wrong.status).toBe(2);
  expect(wrong.err).toContain("--models: all needs --model-store");
  expect(existsSync(pidFile)).toBe(false);
});

test("--version, and words that are none", () => {
  expect(torchserve("--version").out).toMatch(/^TorchServe Version is \d+\.\d+\.\d+ \(served by sconce \S+\)\n$/);
  expect(torchserve("--strat")).toMatchObject({ status: 2 });
});
