/** image_segmenter on a real server, against what TorchServe's handler answers; see test/models/picture_tasks.py. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { repository, Server } from "./server.js";

interface Expected {
  readonly resize: number;
  readonly crop: number;
  readonly cases: readonly {
    readonly file: string;
    readonly segments: readonly (readonly (readonly [number, number])[])[];
  }[];
}

const fixtures = join(repository, "test/fixtures/images");
const { resize, crop, cases } = JSON.parse(readFileSync(join(fixtures, "tasks.json"), "utf8")) as Expected;
const folder = mkdtempSync(join(tmpdir(), "sconce-tasks-"));

function lay(name: string, artifact: string, yaml: object): string {
  const path = join(folder, name);
  mkdirSync(path);
  cpSync(join(fixtures, `${artifact}.pt`), join(path, "model.pt"));
  // YAML reads JSON.
  writeFileSync(join(path, "model-config.yaml"), JSON.stringify(yaml));
  return path;
}

let server: Server;
beforeAll(async () => {
  server = await Server.start([
    lay("segments", "segmenter", { handler: "image_segmenter", sconce: { image: { resize, crop } } }),
  ]);
}, 60_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(folder, { recursive: true, force: true });
});

const ask = (model: string, body: string | Buffer) => call(server.port, { path: `/predictions/${model}`, body });
const files = cases.map(({ file }) => Buffer.from(file, "base64"));

describe("image_segmenter", () => {
  test.each(cases.map(({ segments }, i) => [i, segments] as const))("picture %i is Python's", async (i, segments) => {
    const rows = jsonOf(await ask("segments", files[i]!)) as (readonly (readonly [number, number])[])[];
    expect(rows.map((row) => row.map(([best]) => best))).toEqual(segments.map((row) => row.map(([best]) => best)));
    rows.flat().forEach(([, score], at) => expect(score).toBeCloseTo(segments.flat()[at]![1], 5));
  });
  test("what is no picture is refused", async () => {
    expect((await ask("segments", "no picture")).status).toBe(415);
    expect((await ask("segments", JSON.stringify("%%%"))).status).toBe(400);
  });
});
