/** Instances grow with the load up to what the registration allows, and nothing is lost on the way. */
import { expect, test } from "vitest";
import { call, drive, jsonOf, requestBytes } from "./client.js";
import { eventually, models, Server } from "./server.js";

test("a queue adds workers up to max_worker; none of the requests fails", { timeout: 60_000 }, async () => {
  const server = await Server.start(["--model-store", models, "--enable-model-api"]);
  const register = "/models?url=slow.pt&batch_size=1&initial_workers=1&max_worker=3";
  expect((await call(server.managementPort, { method: "POST", path: register })).status).toBe(200);
  const workers = async () =>
    (
      jsonOf(await call(server.managementPort, { path: "/models/slow" })) as {
        minWorkers: number;
        maxWorkers: number;
        startupTimeout: number;
        workers: unknown[];
      }[]
    )[0];
  expect(await workers()).toMatchObject({ minWorkers: 1, maxWorkers: 3, startupTimeout: 600, workers: [{}] });
  let over = false;
  const driving = drive({
    port: server.port,
    connections: 8,
    count: 100_000,
    request: () => (over ? undefined : requestBytes({ path: "/predictions/slow", body: "[20]" })),
    check: (_, answer) => (answer.status === 200 ? undefined : `${answer.status}: ${answer.body.toString()}`),
  });
  await eventually(20_000, "three workers", async () => ((await workers())?.workers.length === 3 ? true : undefined));
  over = true;
  const tally = await driving;
  expect(tally).toMatchObject({ wrong: [], right: tally.sent, unanswered: [], refused: 0 });
  const wrong = await call(server.managementPort, {
    method: "POST",
    path: "/models?url=wide.pt&initial_workers=2&max_worker=1",
  });
  expect([wrong.status, wrong.body.toString()]).toEqual([400, expect.stringContaining("max_worker cannot be less")]);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});
