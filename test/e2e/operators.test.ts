/**
 * Models whose TorchScript calls operators of Python packages: torchvision's go to a Python that has it, all others are
 * refused with what they lack. The first needs torchvision and torchserve in SCONCE_PYTHON and is skipped by name without.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { errorOf, models, repository, Server } from "./server.js";
import { torchPython } from "./python.js";

const store = mkdtempSync(join(tmpdir(), "sconce-operators-"));
const hasVision =
  torchPython !== undefined &&
  spawnSync(torchPython, ["-c", "import torchvision; torchvision.extension._assert_has_ops()"]).status === 0;
const lacks = hasVision ? "" : "torchvision and torchserve in SCONCE_PYTHON";

function lay(name: string, handler: string): void {
  mkdirSync(join(store, name, "MAR-INF"), { recursive: true });
  copyFileSync(`${models}nms.pt`, join(store, name, "model.pt"));
  const manifest = { model: { modelName: name, handler, serializedFile: "model.pt" } };
  writeFileSync(join(store, name, "MAR-INF/MANIFEST.json"), JSON.stringify(manifest));
}

let server: Server;
beforeAll(async () => {
  lay("boxes", "object_detector");
  lay("plain", "base_handler");
  copyFileSync(`${models}missing_op.pt`, join(store, "missing.pt"));
  const python = ["--python", torchPython ?? "python3", "--default-workers", "1"];
  server = await Server.start(["--model-store", store, "--enable-model-api", ...python]);
}, 60_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  rmSync(store, { recursive: true, force: true });
});

const register = (url: string) =>
  call(server.managementPort, { method: "POST", path: `/models?url=${url}&initial_workers=1&synchronous=true` });

test.skipIf(lacks !== "")(
  `torchvision::nms runs in a Python worker${lacks && ` (skipped without ${lacks})`}`,
  async () => {
    expect(jsonOf(await register("boxes"))).toMatchObject({ status: expect.stringContaining("registered") });
    const picture = readFileSync(join(repository, "test/fixtures/detector/picture.png"));
    const answer = await call(server.port, { path: "/predictions/boxes", body: picture });
    // The second box lies in the first.
    expect(jsonOf(answer)).toEqual([
      { "0": [0, 0, 4, 4], score: expect.closeTo(0.9, 5) },
      { "2": [5, 5, 8, 8], score: expect.closeTo(0.7, 5) },
    ]);
    const [described] = jsonOf(await call(server.managementPort, { path: "/models/boxes" })) as [{ sconce: object }];
    expect(JSON.stringify(described)).toContain("as it calls torchvision::nms");
  },
);

test.skipIf(hasVision)("a Python without torchvision is named, with what adds it", async () => {
  const refused = errorOf(await register("boxes"));
  expect(refused).toMatchObject({
    code: 400,
    message: expect.stringMatching(/calls torchvision::nms.*--python names|lacks .*torchserve/),
  });
});

test.each([
  ["plain", /calls torchvision::nms, an operator of torchvision's that libtorch has not.*object_detector.*--python/],
  ["missing.pt", /calls nowhere::twice, an operator that libtorch has not.*takes a Python handler.*--python/],
])("%s is refused with what it lacks", async (url, words) => {
  expect(errorOf(await register(url))).toMatchObject({ code: 400, message: expect.stringMatching(words) });
});
