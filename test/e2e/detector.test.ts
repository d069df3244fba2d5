/** object_detector against PyTorch's answers (test/models/detector_goldens.py). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { Server } from "./server.js";

const fixtures = fileURLToPath(new URL("../fixtures/detector/", import.meta.url));
const answers = JSON.parse(readFileSync(`${fixtures}answers.json`, "utf8")) as {
  readonly square: readonly Readonly<Record<string, unknown>>[];
  readonly wide: readonly Readonly<Record<string, unknown>>[];
};
const picture = readFileSync(`${fixtures}picture.png`);
const wide = readFileSync(`${fixtures}wide.png`);

let server: Server;
beforeAll(async () => {
  server = await Server.start([`detector=${fixtures}model`]);
}, 60_000);
afterAll(() => server.stop());

/** Numbers within 1e-5, everything else equal. */
function near(value: unknown): unknown {
  if (typeof value === "number") return expect.closeTo(value, 5) as unknown;
  if (Array.isArray(value)) return value.map(near);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, near(each)]));
}

async function answerOf(model: string, body: Buffer): Promise<unknown> {
  const answer = await call(server.port, {
    path: `/predictions/${model}`,
    body,
    headers: { "content-type": "image/png" },
  });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
  return jsonOf(answer);
}

describe("answers equal PyTorch's", () => {
  test("pictures of two sizes at one time, each in its own size", async () => {
    const requests = Array.from({ length: 12 }, (_, index) => index % 2 === 0);
    const got = await Promise.all(requests.map((square) => answerOf("detector", square ? picture : wide)));
    expect(got).toEqual(requests.map((square) => near(square ? answers.square : answers.wide)));
  });

  test("base64 in JSON, and what is no picture", async () => {
    const body = Buffer.from(JSON.stringify({ data: wide.toString("base64") }));
    expect(await answerOf("detector", body)).toEqual(near(answers.wide));
    expect((await call(server.port, { path: "/predictions/detector", body: "no picture" })).status).toBe(415);
  });
});

test("the detector's batchSize of 4 is said to become 1", () => {
  expect(server.process.output).toContain("batchSize 4 becomes 1");
});
