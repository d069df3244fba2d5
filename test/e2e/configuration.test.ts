/** A server from TorchServe's configuration; broken files and options end the start with the configuration's exit code. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { freePorts, models, Server, ServerProcess } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-configuration-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "store"));
for (const file of ["ledger.pt", "ledger.yaml"]) copyFileSync(`${models}${file}`, join(root, "store", file));

function properties(name: string, lines: readonly string[]): string {
  const path = join(root, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

describe("config.properties", () => {
  test(
    "as a deployment has it: addresses, store, models with their settings, variables",
    { timeout: 60_000 },
    async () => {
      const [inference = 0, management = 0, metrics = 0, grpc = 0] = await freePorts(4);
      const file = properties("good.properties", [
        "inference_address=http://127.0.0.1:$$INFERENCE_PORT$$",
        `management_address=http://127.0.0.1:${management}`,
        `metrics_address=http://127.0.0.1:${metrics}`,
        `grpc_inference_port=${grpc}`,
        "grpc_management_port=off",
        "enable_envvars_config=true",
        "model_store=/nowhere",
        "load_models=ledger.pt",
        "job_queue_size=9",
        'models={"ledger": {\\',
        '  "1.0": {"defaultVersion": true, "batchSize": 2, "maxBatchDelay": 3, "minWorkers": 1, "responseTimeout": 77}}}',
        "disable_token_authorization=true",
        "number_of_gpu=1",
      ]);
      const env = { INFERENCE_PORT: String(inference), TS_MODEL_STORE: join(root, "store") };
      const server = await Server.start(["--foreground", "--ncs", "--ts-config", file], { ownPorts: true, env });
      const ports = [server.port, server.managementPort, server.metricsPort, server.grpcPort];
      expect(ports).toEqual([inference, management, metrics, grpc]);
      const described = jsonOf(await call(management, { path: "/models/ledger" }));
      expect(described).toMatchObject([{ maxBatchDelay: 3, responseTimeout: 77, minWorkers: 1 }]);
      expect(server.process.stderr).toContain("--number-of-gpu is 1, and 0 can be used: ");
      expect((await server.stop()).code).toBe(0);
    },
  );

  test.each([
    [
      ["model_store=/x", "job_queue_size=lots"],
      'bad.properties:2: job_queue_size: "lots" is not allowed; expected a whole',
    ],
    [["inference_address=http://$$NO_SUCH$$:1"], "the environment variable NO_SUCH, which is not set"],
    [["load_models=all"], "bad.properties:1 load_models: all needs --model-store"],
  ])("%j ends the start with code 2 and the reason", async (lines, words) => {
    const server = new ServerProcess(["--ts-config", properties("bad.properties", lines)]);
    expect((await server.ended(20_000)).code).toBe(2);
    expect(server.stderr).toContain(words);
    expect(server.stdout).toBe("");
  });

  test("an unreadable file is named with what named it", async () => {
    const server = new ServerProcess([], { env: { TS_CONFIG_FILE: join(root, "none.properties") } });
    expect((await server.ended(20_000)).code).toBe(2);
    expect(server.stderr).toMatch(/TS_CONFIG_FILE \S+none\.properties: ENOENT/);
  });
});
