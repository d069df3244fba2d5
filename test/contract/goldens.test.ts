/**
 * The test models through the whole native engine, JSON in and out, against what Python's PyTorch answered for the same
 * file (test/models/export.py): each case alone, and all cases sent in one turn.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InputFormat, OutputFormat } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/native.js";
import type { DType } from "../../src/types.js";
import { specOf } from "./specs.js";

interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly (number | boolean)[];
}
interface Golden {
  readonly inputs: readonly { name: string; dtype: DType; shape: readonly number[]; optional?: boolean }[];
  readonly cases: readonly {
    readonly inputs: Readonly<Record<string, Omit<Tensor, "dtype">>>;
    readonly outputs: Readonly<Record<string, Tensor>>;
  }[];
}
type Case = Golden["cases"][number];
type Nested = number | boolean | string | readonly Nested[];

const folder = join(import.meta.dirname, "../fixtures/models");
const goldens = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join(folder, name), "utf8")) as Golden] as const)
  .filter(([, golden]) => golden.cases.length > 0);

function nest(data: readonly (number | boolean)[], shape: readonly number[]): unknown {
  const [first, ...rest] = shape;
  if (first === undefined) return data[0];
  const step = data.length / first;
  return Array.from({ length: first }, (_, i) => nest(data.slice(i * step, (i + 1) * step), rest));
}

const bodyOf = (one: Case): Uint8Array => {
  const values = Object.entries(one.inputs).map(([name, tensor]) => [name, nest(tensor.data, tensor.shape)] as const);
  const body = values.length === 1 ? values[0]![1] : Object.fromEntries(values);
  return new TextEncoder().encode(JSON.stringify(body));
};

/** "1.0" is the first of the second; "output" is the result itself. */
function pick(answer: unknown, path: string): Nested {
  if (path === "output") return answer as Nested;
  return path.split(".").reduce((value, key) => (value as Record<string, unknown>)[key], answer) as Nested;
}

const flat = (value: Nested): number[] =>
  Array.isArray(value) ? (value as readonly Nested[]).flatMap(flat) : [Number(value)];

/** |a − b| ≤ atol + rtol·|b|, atol = tolerance × max|b|. The narrow floats are allowed their last bit. */
function expectEqual(answer: string, one: Case, tolerance: number): void {
  for (const [path, tensor] of Object.entries(one.outputs)) {
    const got = flat(pick(JSON.parse(answer), path));
    const want = tensor.data.map(Number);
    const unit = { float16: 2 ** -10, bfloat16: 2 ** -7 }[tensor.dtype as string] ?? tolerance;
    const largest = Math.max(...want.map(Math.abs));
    expect(got.length).toBe(want.length);
    got.forEach((value, i) => {
      const off = Math.abs(value - want[i]!);
      expect(off, `${path}[${i}]: ${value} and ${want[i]!}`).toBeLessThanOrEqual(
        unit * largest + unit * Math.abs(want[i]!),
      );
    });
  }
}

const engine = openEngine({ cores: 2, loadParallelism: 1, latencyBuckets: [0.01, 1], maxDecodedBytes: 1 << 24 });

describe.each(goldens)("%s", (name, golden) => {
  const done = new Map<number, readonly [code: number, body: string]>();
  const sink = (cookie: number, code: number, _model: string, body: string | ArrayBuffer): void => {
    done.set(cookie, [code, body as string]);
  };
  const channel = engine.openChannel(() => channel.drain(sink));
  const send = (cookie: number, one: Case): void => {
    const sent = channel.infer(cookie, channel.nameId(name), "", bodyOf(one), InputFormat.json, OutputFormat.json, 0);
    expect(sent, channel.lastError()).toBeGreaterThanOrEqual(0);
  };
  const finished = async (count: number): Promise<void> => {
    channel.flush(sink);
    for (let i = 0; done.size < count && i < 2000; ++i) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(done.size).toBe(count);
  };

  test("answers as PyTorch does, alone and together", async () => {
    const inputs = golden.inputs.map((input) => ({ ...input, optional: input.optional ?? false }));
    const { batchSize: _chosen, ...spec } = specOf("echo");
    const artifact = join(folder, `${name}.pt`);
    await engine.load({ ...spec, name, artifact, signature: { declared: true, inputs, outputs: [] } }, name);
    engine.publish(name);
    for (const one of golden.cases) {
      done.clear();
      send(0, one);
      await finished(1);
      expect(done.get(0)![0], done.get(0)![1]).toBe(0);
      expectEqual(done.get(0)![1], one, 1e-6);
    }
    done.clear();
    const many = Array.from({ length: 24 }, (_, i) => golden.cases[i % golden.cases.length]!);
    many.forEach((one, i) => send(i, one));
    await finished(many.length);
    many.forEach((one, i) => {
      expect(done.get(i)![0], done.get(i)![1]).toBe(0);
      expectEqual(done.get(i)![1], one, 1e-5);
    });
    channel.close();
    expect(await engine.remove(name, "1.0", 10_000)).toBe(true);
  });
});
