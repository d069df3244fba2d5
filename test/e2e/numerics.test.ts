/** Every committed model answers what PyTorch answers: as JSON, raw and npy, alone, as instances and batched. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, type Answer } from "./client.js";
import {
  declareModels,
  difference,
  fixtures,
  parseExact,
  readGoldens,
  sampleText,
  tensorDifference,
  type Case,
  type Golden,
} from "./goldens.js";
import { repository, Server } from "./server.js";

/** Alone, and batched against alone: the project's definition of equal. */
const alone = 1e-6;
const batched = 1e-5;

const goldens = readGoldens();
let server: Server;
beforeAll(async () => {
  server = await Server.start(declareModels(goldens), { readyWithinMs: 120_000 });
}, 120_000);
afterAll(async () => {
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});

function ask(golden: Golden, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return call(server.port, { path: `/predictions/${golden.name}`, headers, body });
}

function expectCase(answer: Answer, expected: Case, rtol: number): void {
  expect(answer.status, answer.body.toString("utf8").slice(0, 300)).toBe(200);
  expect(difference(parseExact(answer.body.toString("utf8")), expected, rtol)).toBeUndefined();
}

test("there are fixtures", () => {
  expect(goldens.length).toBeGreaterThanOrEqual(8);
});

/** Bytes of a float32 input, little-endian. */
function float32Bytes(data: readonly unknown[]): Buffer {
  return Buffer.from(Float32Array.from(data.map(Number)).buffer);
}

function npyOf(shape: readonly number[], data: Buffer): Buffer {
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(", ")})`;
  const header = `${`{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`.padEnd(117)}\n`;
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00\x76\x00", "latin1"), Buffer.from(header), data]);
}

/** The floats of an answer in npy format 1.0. */
function npyFloats(bytes: Buffer): number[] {
  expect(bytes.toString("latin1", 0, 6)).toBe("\x93NUMPY");
  const start = 10 + bytes.readUInt16LE(8);
  expect(bytes.toString("latin1", 10, start)).toMatch(/'descr': '<f4'/);
  return rawFloats(bytes.subarray(start));
}

function rawFloats(bytes: Buffer): number[] {
  return Array.from(new Float32Array(new Uint8Array(bytes).buffer));
}

describe.each(goldens)("$name", (golden) => {
  const input = golden.inputs[0];
  const floats = golden.inputs.length === 1 && input?.dtype === "float32" && !input.shape.includes(-1);
  const oneOutput = golden.cases.every(({ outputs }) => outputs["output"]?.dtype === "float32");

  test("JSON, one sample at a time", async () => {
    for (const each of golden.cases) expectCase(await ask(golden, sampleText(golden, each)), each, alone);
  });

  test("JSON, by name", async () => {
    if (golden.inputs.length > 1) return;
    for (const each of golden.cases) {
      const body = `{${JSON.stringify(input?.name)}:${sampleText(golden, each)}}`;
      expectCase(await ask(golden, body), each, alone);
    }
  });

  test("as instances", async () => {
    const body = `{"instances":[${golden.cases.map((each) => sampleText(golden, each)).join()}]}`;
    const answer = await ask(golden, body);
    expect(answer.status, answer.body.toString("utf8").slice(0, 300)).toBe(200);
    const { predictions } = parseExact(answer.body.toString("utf8")) as { predictions: unknown[] };
    expect(predictions.length).toBe(golden.cases.length);
    golden.cases.forEach((each, i) => expect(difference(predictions[i], each, batched)).toBeUndefined());
  });

  test("many at once, batched as they come", async () => {
    for (let round = 0; round < 3; round++) {
      const chosen = Array.from({ length: 40 }, (_, i) => golden.cases[(i * 7 + round) % golden.cases.length]!);
      const answers = await Promise.all(chosen.map((each) => ask(golden, sampleText(golden, each))));
      answers.forEach((answer, i) => expectCase(answer, chosen[i]!, batched));
    }
  });

  const rawIn = floats ? test : undefined;
  rawIn?.("raw and npy in", async () => {
    for (const each of golden.cases) {
      const tensor = Object.values(each.inputs)[0];
      const bytes = float32Bytes(tensor?.data ?? []);
      expectCase(await ask(golden, bytes, { "content-type": "application/octet-stream" }), each, alone);
      const npy = npyOf(tensor?.shape ?? [], bytes);
      expectCase(await ask(golden, npy, { "content-type": "application/x-npy" }), each, alone);
    }
  });

  const rawOut = oneOutput ? test : undefined;
  rawOut?.("raw and npy out", async () => {
    for (const each of golden.cases) {
      const want = each.outputs["output"]!;
      const body = sampleText(golden, each);
      const raw = await ask(golden, body, { accept: "application/octet-stream" });
      expect(tensorDifference(rawFloats(raw.body), want, alone)).toBeUndefined();
      const npy = await ask(golden, body, { accept: "application/x-npy" });
      expect(tensorDifference(npyFloats(npy.body), want, alone)).toBeUndefined();
    }
  });
});

/** A Python that can import a complete torch: SCONCE_PYTHON, the project's own, or the one that libtorch lies in. */
function pythonWithTorch(): string | undefined {
  const libtorch = process.env["LIBTORCH"];
  const candidates = [
    process.env["SCONCE_PYTHON"],
    `${repository}.venv/bin/python`,
    libtorch && `${libtorch}/../../../../bin/python`,
  ];
  return candidates.find((python) => {
    if (python === undefined || python === "" || !existsSync(python)) return false;
    try {
      execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}

describe("live, against Python's PyTorch", () => {
  const python = pythonWithTorch();
  if (python === undefined) {
    console.warn(
      "no complete Python torch (set SCONCE_PYTHON): the live comparison is skipped, the goldens were compared",
    );
  }
  let live: Record<string, Case[]> = {};
  beforeAll(() => {
    if (python === undefined) return;
    const args = [`${repository}test/e2e/reference.py`, fixtures, "12", ...goldens.map(({ name }) => name)];
    live = parseExact(execFileSync(python, args, { encoding: "utf8", maxBuffer: 1 << 28 })) as Record<string, Case[]>;
  }, 120_000);

  test.skipIf(python === undefined).each(goldens)("$name", async (golden) => {
    const cases = live[golden.name] ?? [];
    expect(cases.length).toBe(12);
    for (const each of cases) expectCase(await ask(golden, sampleText(golden, each)), each, alone);
  });
});
