/**
 * Handlers of TorchServe's own examples, unchanged, against what they answer in TorchServe's classes: digits with a handler
 * and a model file, the one with custom metrics, ResNet-18 with image_classifier as an eager model (Python) and scripted
 * (native), base_handler with an eager model. Their files are TorchServe's, so they are not here: SCONCE_TORCHSERVE names a
 * working tree of github.com/pytorch/serve, and SCONCE_PYTHON a Python with torchvision, captum and torchserve. Skipped by
 * name without. Handlers with intermediate answers are in python-handlers.test.ts.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, jsonOf } from "./client.js";
import { eventually, repository, Server } from "./server.js";

const checkout = process.env["SCONCE_TORCHSERVE"] ?? "";
const python = process.env["SCONCE_PYTHON"] ?? "python3";
const imports = "import torch, torchvision, captum, ts, PIL, yaml";
const lacks =
  checkout === ""
    ? "a working tree of pytorch/serve in SCONCE_TORCHSERVE"
    : spawnSync(python, ["-c", imports]).status === 0
      ? ""
      : "torchvision, captum and torchserve in SCONCE_PYTHON";

type Answers = Readonly<Record<string, readonly (readonly [input: unknown, answer: unknown])[]>>;

describe.skipIf(lacks !== "")(`TorchServe's examples${lacks && ` (skipped without ${lacks})`}`, () => {
  const store = mkdtempSync(join(tmpdir(), "sconce-examples-"));
  let answers: Answers;
  let server: Server;
  let bodies: Server;
  beforeAll(async () => {
    execFileSync(python, [join(repository, "test/models/torchserve_examples.py"), checkout, store]);
    answers = JSON.parse(readFileSync(join(store, "answers.json"), "utf8")) as Answers;
    const worker = ["--model-store", store, "--python", python, "--default-workers", "1"];
    const metrics = ["--worker-metrics", join(checkout, "examples/custom_metrics/metrics.yaml")];
    const models = ["mnist", "metrics", "eager", "scripted"];
    server = await Server.start(["--models", ...models, ...worker, ...metrics, "--log-level", "debug"], {
      readyWithinMs: 120_000,
    });
    bodies = await Server.start(["--models", "base", ...worker, "--service-envelope", "body"], {
      readyWithinMs: 120_000,
    });
  }, 300_000);
  afterAll(async () => {
    await Promise.all([server.stop(), bodies.stop()]);
    rmSync(store, { recursive: true, force: true });
  });

  const send = (to: Server, model: string, body: Buffer | string, type: string): Promise<Answer> =>
    call(to.port, { path: `/predictions/${model}`, headers: { "content-type": type }, body });

  /** Numbers within float32's rounding, everything else the same. */
  function same(got: unknown, wanted: unknown): void {
    if (typeof wanted === "number") expect(got).toBeCloseTo(wanted, 5);
    else if (typeof wanted === "object" && wanted !== null) {
      expect(Object.keys(got as object)).toEqual(Object.keys(wanted));
      for (const [key, each] of Object.entries(wanted)) same((got as Readonly<Record<string, unknown>>)[key], each);
    } else expect(got).toEqual(wanted);
  }

  test.each(["mnist", "metrics", "eager", "scripted"])("%s", { timeout: 60_000 }, async (model) => {
    expect(answers[model]!.length).toBeGreaterThan(0);
    for (const [file, wanted] of answers[model]!) {
      const picture = readFileSync(join(checkout, String(file)));
      same(jsonOf(await send(server, model, picture, "application/octet-stream")), wanted);
    }
  });

  test("an eager model with base_handler, whose requests are their bodies", { timeout: 60_000 }, async () => {
    const [[row, wanted]] = answers["base"] as [readonly [unknown, unknown]];
    same(jsonOf(await send(bodies, "base", JSON.stringify(row), "application/json")), wanted);
  });

  test("the custom metrics are emitted", async () => {
    for (const name of ["InferenceRequestCount", "PreprocessCallCount", "RequestBatchSize"]) {
      const page = async (): Promise<string> =>
        (await call(server.metricsPort, { path: `/metrics?name[]=${name}` })).body.toString();
      // Not every one of them has labels.
      const shown = new RegExp(`^${name}[{ ]`, "m");
      await eventually(20_000, name, async () => (shown.test(await page()) ? true : undefined));
    }
  });
});
