import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { metricTable } from "../../src/metrics/table.js";
import type { Health } from "../../src/models/models.js";
import { modelSpec, pause, startTestServer, type TestServer } from "./support.js";

let it: TestServer;
beforeAll(async () => {
  it = await startTestServer([
    modelSpec("echo", "echo.pt"),
    modelSpec("echo", "sum.pt", { version: "2.0" }),
    modelSpec("failing", "x.pt"),
  ]);
});
afterAll(async () => {
  await it.server.drain();
});

async function get(url: string): Promise<{ status: number; json: unknown }> {
  const answer = await fetch(url);
  return { status: answer.status, json: await answer.json() };
}

describe("health", () => {
  const cases: [Health, number, string][] = [
    ["healthy", 200, "Healthy"],
    ["partial", 200, "Partial Healthy"],
    ["unready", 503, "Unhealthy"],
    ["empty", 200, "Healthy"],
  ];
  test.each(cases)("%s", async (health, status, words) => {
    it.manager.override = health;
    await pause(120);
    expect(await get(`${it.base}/ping`)).toEqual({ status, json: { status: words } });
    expect(await get(`${it.management}/ping`)).toEqual({ status, json: { status: words } });
    expect(await get(`${it.base}/v2/health/ready`)).toEqual({ status, json: { ready: status === 200 } });
    expect(await get(`${it.base}/v2/health/live`)).toEqual({ status: 200, json: { live: true } });
    it.manager.override = undefined;
  });
});

describe("the management port", () => {
  test("lists models by name", async () => {
    const { json } = await get(`${it.management}/models`);
    expect(json).toEqual({
      models: [
        { modelName: "echo", modelUrl: "echo.pt" },
        { modelName: "failing", modelUrl: "x.pt" },
      ],
    });
    const page = await get(`${it.management}/models?limit=1&next_page_token=1`);
    expect(page.json).toEqual({ nextPageToken: "2", models: [{ modelName: "failing", modelUrl: "x.pt" }] });
  });

  test("describes the default version, one version, or all", async () => {
    const one = (await get(`${it.management}/models/echo`)).json as Record<string, unknown>[];
    expect(one).toHaveLength(1);
    expect(one[0]).toMatchObject({ modelName: "echo", modelVersion: "1.0", loadedAtStartup: true });
    expect(one[0]?.["sconce"]).toMatchObject({ state: "ready", executor: "inline", isDefault: true });
    const two = (await get(`${it.management}/models/echo/2.0`)).json as Record<string, unknown>[];
    expect(two[0]).toMatchObject({ modelVersion: "2.0" });
    expect((await get(`${it.management}/models/echo/all`)).json).toHaveLength(2);
    const failed = (await get(`${it.management}/models/failing`)).json as Record<string, unknown>[];
    expect(failed[0]?.["sconce"]).toMatchObject({ state: "failed", reason: "not a model" });
  });

  test("says what is not there, and which verbs are", async () => {
    expect((await get(`${it.management}/models/nobody`)).status).toBe(404);
    expect((await get(`${it.management}/models/echo/7`)).status).toBe(404);
    expect((await get(`${it.management}/predictions/echo`)).status).toBe(404);
    expect((await get(`${it.base}/models`)).status).toBe(404);
    const wrong = await fetch(`${it.management}/models`, { method: "PUT", body: "x" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, POST"]);
  });
});

describe("the metrics port", () => {
  test("a scrape asks the engine for its figures once", async () => {
    const asked = vi.spyOn(it.engine, "stats");
    expect((await fetch(`${it.metrics}/metrics`)).status).toBe(200);
    expect(asked).toHaveBeenCalledTimes(1);
    asked.mockRestore();
  });

  test("writes every row of the table, in Prometheus' text format", async () => {
    await fetch(`${it.base}/predictions/echo`, { method: "POST", body: "[1]" });
    const answer = await fetch(`${it.metrics}/metrics`);
    const text = await answer.text();
    expect(answer.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    for (const row of metricTable) expect(text, row.name).toContain(`# TYPE ${row.name} ${row.type}\n`);
    expect(text).toMatch(/sconce_requests_total\{model="echo",version="1.0",code="ok"\} [1-9]/);
    expect(text).toContain('sconce_request_duration_seconds_bucket{le="+Inf",model="echo",version="1.0"}');
    expect(text).toContain('sconce_model_state{model="failing",version="1.0",state="failed"} 1');
    expect(text).toMatch(/sconce_http_responses_total\{status="200"\} [1-9]/);
    expect((await fetch(`${it.metrics}/metrics`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${it.metrics}/ping`)).status).toBe(404);
  });

  test("no name that a client made up becomes a series", async () => {
    await fetch(`${it.base}/predictions/made-up-name`, { method: "POST", body: "[1]" });
    expect(await (await fetch(`${it.metrics}/metrics`)).text()).not.toContain("made-up-name");
  });
});
