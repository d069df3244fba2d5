/**
 * Models on devices, with a real server process: where instances run, a batch that does not fit, a device that is lost, a
 * process that is started again; and what is said where there is no GPU. The devices are simulated.
 */
import { readFileSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { errorOf, eventually, freePorts, repository, type Server } from "./server.js";
import { hasSimulator, SimulatedGpus } from "./simulated-gpus.js";

const fixture = `${repository}test/fixtures/models/mlp`;
interface Golden {
  readonly cases: readonly {
    readonly inputs: { readonly x: { readonly data: readonly number[] } };
    readonly outputs: { readonly output: { readonly data: readonly number[] } };
  }[];
}
const { cases } = JSON.parse(readFileSync(`${fixture}.json`, "utf8")) as Golden;
const sample = cases[0]?.inputs.x.data ?? [];
const expected = cases[0]?.outputs.output.data ?? [];
const declared = { inputs: [{ name: "x", dtype: "float32", shape: [16] }] };

/** What /predictions answers for `instances`. */
const answers = (answer: Answer): readonly (readonly number[])[] =>
  (jsonOf(answer) as { readonly predictions: readonly (readonly number[])[] }).predictions;
const rows = (count: number): string => JSON.stringify({ instances: Array.from({ length: count }, () => sample) });

if (!hasSimulator) console.warn("the C++ tests are not built, and the simulated GPUs with them: tests are skipped");

// `npm test` builds them first; vitest alone, or a machine without GoogleTest, has none.
describe.skipIf(!hasSimulator)("GPUs", () => {
  const gpus = hasSimulator ? new SimulatedGpus() : undefined!;
  afterAll(() => rmSync(gpus.root, { recursive: true, force: true }));
  afterEach(() => gpus.faults());

  const predict = (server: { readonly port: number }, name: string, count = 1): Promise<Answer> =>
    call(server.port, {
      path: `/predictions/${name}`,
      headers: { "content-type": "application/json" },
      body: rows(count),
    });

  describe("two of them", () => {
    let server: Server;
    beforeAll(async () => {
      gpus.model("spread", `${fixture}.pt`, { minWorkers: 3, batchSize: 8, sconce: declared });
      gpus.model("pinned", `${fixture}.pt`, {
        minWorkers: 1,
        batchSize: 8,
        deviceIds: [1],
        sconce: { priority: "high" },
      });
      gpus.model("host", `${fixture}.pt`, { minWorkers: 1, deviceType: "cpu" });
      server = await gpus.start(["--enable-model-api", "--models", "spread.pt", "pinned.pt", "host.pt"]);
    }, 60_000);
    afterAll(async () => expect((await server.stop()).code).toBe(0));

    const described = async (name: string): Promise<Record<string, unknown> & { sconce: Record<string, unknown> }> =>
      (jsonOf(await call(server.managementPort, { path: `/models/${name}` })) as never[])[0]!;
    const usage = async (name: string): Promise<readonly string[]> =>
      ((await described(name))["workers"] as { gpu: boolean; gpuUsage: string }[]).map(
        (each) => `${each.gpu} ${each.gpuUsage.split(" ")[0]}`,
      );

    test("instances take them in turn, or as deviceIds says, or not at all", async () => {
      expect(await usage("spread")).toEqual(["true gpuId::0", "true gpuId::1", "true gpuId::0"]);
      expect(await usage("pinned")).toEqual(["true gpuId::1"]);
      expect(await usage("host")).toEqual(["false N/A"]);
      expect(await described("pinned")).toMatchObject({ deviceType: "gpu", deviceIds: [1] });
      expect(await described("host")).toMatchObject({ deviceType: "cpu" });
      const [answer] = answers(await predict(server, "spread"));
      expected.forEach((value, index) => expect(answer?.[index]).toBeCloseTo(value, 5));
    });

    test("a batch that does not fit is split, and refused with 507 where one row does not fit", async () => {
      gpus.faults("rows 1 2");
      const answer = await predict(server, "pinned", 8);
      expect([answer.status, answers(answer).length]).toEqual([200, 8]);
      expect((await described("pinned")).sconce["batchLimit"]).toBeLessThanOrEqual(4);
      expect(await server.metric(/^sconce_device_splits_total\{device="sim:1"/)).toBeGreaterThan(0);
      gpus.faults("rows 1 0");
      const refused = await predict(server, "pinned");
      expect(refused.status).toBe(507);
      expect(errorOf(refused).message).toContain("one row does not fit in the memory of sim:1");
      expect(await server.metric(/^sconce_model_batch_limit\{model="pinned"/)).toBe(1);
      gpus.faults();
      expect((await predict(server, "pinned")).status).toBe(200);
    });

    test.each([
      [{ deviceIds: [2] }, "deviceIds has 2, and this server uses 2 GPUs, 0 to 1"],
      [{ deviceIds: [-1] }, "deviceIds must be whole numbers from 0 on"],
      [{ deviceIds: [0, 1, 0] }, "deviceIds names GPU 0 twice"],
      [{ sconce: { executor: "inline" }, deviceType: "gpu" }, "executor: inline runs on the CPU only"],
    ])("%j is refused in one line, and the rest goes on", async (yaml, words) => {
      gpus.model("wrong", `${fixture}.pt`, yaml);
      const path = "/models?url=wrong.pt&initial_workers=1&synchronous=true";
      const refused = await call(server.managementPort, { method: "POST", path });
      expect(refused.status).toBe(400);
      expect(errorOf(refused).message).toContain(words);
      expect((await predict(server, "pinned")).status).toBe(200);
    });

    test("a lost device: its models answer 503, instances on others go on, /ping tells", async () => {
      gpus.faults("lost 1");
      const first = await predict(server, "pinned");
      expect([first.status, errorOf(first).message]).toEqual([503, expect.stringContaining("sim:1 is out of service")]);
      gpus.faults();
      expect((await predict(server, "pinned")).status).toBe(503);
      for (let request = 0; request < 8; request++) expect((await predict(server, "spread")).status).toBe(200);
      expect((await predict(server, "host")).status).toBe(200);
      await eventually(5000, "/ping tells", async () =>
        (await call(server.port, { path: "/ping" })).body.includes("Partial Healthy") ? true : undefined,
      );
      expect(await server.metric(/^sconce_device_in_service\{device="sim:1"/)).toBe(0);
      await eventually(5000, "the log tells", () =>
        server.process.stderr.includes("a device is out of service until the server is started anew")
          ? true
          : undefined,
      );
    });
  });

  test("--supervise: a server that lost a device is started again", { timeout: 60_000 }, async () => {
    gpus.model("one", `${fixture}.pt`, { minWorkers: 1 });
    const [port = 0, management = 0, metrics = 0] = await freePorts(3);
    const ports = ["--port", `${port}`, "--management-port", `${management}`, "--metrics-port", `${metrics}`];
    const server = await gpus.start(["--supervise", "--models", "one.pt", "--drain-delay", "0", ...ports], {
      ownPorts: true,
    });
    gpus.faults("lost 0", "lost 1");
    expect((await predict({ port }, "one")).status).toBe(503);
    gpus.faults();
    await server.process.printed(/sconce ready[^]*sconce ready/, 30_000);
    expect((await predict({ port }, "one")).status).toBe(200);
    expect((await server.stop()).code).toBe(0);
  });

  test("too old a driver: said at the start; the CPU serves, and who asks for a GPU is refused", async () => {
    const env = { SIMULATED_GPU_PROBLEM: "the NVIDIA driver serves CUDA 11.8 and this libtorch needs CUDA 13.0" };
    gpus.model("wants", `${fixture}.pt`, { deviceType: "gpu" });
    gpus.model("any", `${fixture}.pt`, {});
    const server = await gpus.start(["--enable-model-api", "--models", "any.pt"], { env });
    expect(server.process.stderr).toContain(`no GPU is used: ${env.SIMULATED_GPU_PROBLEM}`);
    expect((await predict(server, "any")).status).toBe(200);
    const path = "/models?url=wants.pt";
    const refused = await call(server.managementPort, { method: "POST", path });
    expect([refused.status, errorOf(refused).message]).toEqual([
      400,
      expect.stringContaining(env.SIMULATED_GPU_PROBLEM),
    ]);
    expect((await server.stop()).code).toBe(0);
  });

  test("fewer than --number-of-gpu: the start ends with the reason, or with --compat torchserve goes on", async () => {
    const refused = gpus.process(["--models", "any.pt", "--number-of-gpu", "3"]);
    expect((await refused.ended(30_000)).code).toBe(2);
    expect(refused.stderr).toContain("--number-of-gpu is 3, and 2 can be used: the driver shows 2 to this process");
    gpus.faults("broken 1");
    const going = await gpus.start(["--models", "wants.pt", "--number-of-gpu", "2", "--compat", "torchserve"]);
    expect(going.process.stderr).toContain(
      "--number-of-gpu is 2, and 1 can be used: this libtorch has no kernels for sim:1",
    );
    expect((await predict(going, "wants")).status).toBe(200);
    expect((await going.stop()).code).toBe(0);
  });
});
