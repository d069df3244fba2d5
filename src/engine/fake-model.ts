/** What the fake engine's models compute: pure functions from a request's bytes to an answer. */

import { basename } from "node:path";
import { dtypes, type ExplainSettings, type InputSpec, type ModelSpec } from "../types.js";
import { InputFormat, OutputFormat, type TensorOut } from "./engine.js";
import { type FrameTensor, readFrame } from "./fake-frame.js";

export type Behaviour = "echo" | "sum" | "raise" | "slow";

export interface FakeModel {
  readonly spec: ModelSpec;
  readonly behaviour: Behaviour;
  readonly lane: boolean;
  readonly slowMs: number;
  inFlight: number;
  /** 0: takes no requests. */
  instances: number;
  readonly byCode: number[];
  /** Requests whose client named the version. */
  named: number;
}

export interface Answer {
  readonly code: number;
  readonly body: string | ArrayBuffer;
  readonly tensors?: readonly TensorOut[];
}

/** Decoded samples, or why they are refused. */
export type Decoded =
  | { readonly samples: readonly Nested[]; readonly instances: boolean }
  | { readonly code: number; readonly message: string };

export type Nested = number | readonly Nested[];

export function behaviourOf(artifact: string): Behaviour {
  const name = basename(artifact);
  return (["sum", "raise", "slow"] as const).find((each) => name.startsWith(each)) ?? "echo";
}

const badRequest = 1;
const modelError = 7;
const notAcceptable = 4;
const notImplemented = 18;

export function decode(model: FakeModel, body: Uint8Array, format: InputFormat): Decoded {
  const input = model.spec.signature.inputs[0];
  if (format === InputFormat.npy) return { code: badRequest, message: "the fake engine reads no .npy" };
  if (format === InputFormat.raw) {
    if (input === undefined) return { code: badRequest, message: "raw octets need declared inputs" };
    const expected = input.shape.reduce((a, b) => a * b, 4);
    if (body.byteLength !== expected) {
      return { code: badRequest, message: `input "${input.name}": expected ${expected} bytes, got ${body.byteLength}` };
    }
    return { samples: [reshape(new Float32Array(body.slice().buffer), input.shape)], instances: false };
  }
  if (format === InputFormat.tensors) return decodeFrame(input, body);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return { code: badRequest, message: "the body is not JSON" };
  }
  const instances = (value as { readonly instances?: unknown } | null)?.instances;
  const samples = (instances === undefined ? [value] : instances) as readonly Nested[];
  for (const sample of samples) {
    const got = shapeOf(sample);
    const matches =
      input === undefined || (got.length === input.shape.length && got.every((n, i) => n === input.shape[i]));
    if (!matches) {
      const expected = JSON.stringify(input.shape);
      return {
        code: badRequest,
        message: `input "${input.name}": expected shape ${expected}, got ${JSON.stringify(got)}`,
      };
    }
  }
  return { samples, instances: instances !== undefined };
}

function decodeFrame(input: InputSpec | undefined, body: Uint8Array): Decoded {
  const rows = readFrame(body);
  if (rows === undefined) return { code: badRequest, message: "malformed tensor frame" };
  const wrong = input === undefined ? undefined : rows.flat().find((tensor) => !fits(tensor, input));
  if (wrong !== undefined && input !== undefined) return { code: badRequest, message: misfit(wrong, input) };
  const samples = rows.map(([first]) =>
    reshape(new Float32Array(first?.data.slice().buffer ?? []), first?.shape ?? []),
  );
  return { samples, instances: samples.length > 1 };
}

function fits({ name, index, dtype, shape }: FrameTensor, input: InputSpec): boolean {
  const called = name === "" ? index === 0 : name === input.name;
  return called && dtypes[dtype] === input.dtype && JSON.stringify(shape) === JSON.stringify(input.shape);
}

function misfit({ name, dtype, shape }: FrameTensor, input: InputSpec): string {
  if (name !== "" && name !== input.name) return `there is no input "${name}"`;
  const expected = `${input.dtype} ${JSON.stringify(input.shape)}`;
  return `input "${input.name}": expected ${expected}, got ${dtypes[dtype] ?? "?"} ${JSON.stringify(shape)}`;
}

export function run(model: FakeModel, samples: readonly Nested[], instances: boolean, format: OutputFormat): Answer {
  const flat = samples.map((sample) => numbersOf(sample));
  if (model.behaviour === "raise" && flat.some((each) => each.some((value) => value < 0))) {
    return { code: modelError, body: "the model raised: negative" };
  }
  const outputs = model.behaviour === "sum" ? flat.map((each) => each.reduce((a, b) => a + b, 0)) : samples;
  if (format === OutputFormat.json) {
    return { code: 0, body: JSON.stringify(instances ? { predictions: outputs } : outputs[0]) };
  }
  if (format === OutputFormat.npy) return { code: notAcceptable, body: "the fake engine writes no .npy" };
  const values = Float32Array.from(outputs.flatMap((each) => numbersOf(each)));
  if (format === OutputFormat.raw) return { code: 0, body: values.buffer };
  const bytes = values.byteLength / outputs.length;
  const tensors = outputs.map((each, i) => ({
    dtype: "float32" as const,
    shape: shapeOf(each),
    offset: i * bytes,
    bytes,
  }));
  return { code: 0, body: values.buffer, tensors };
}

/** Integrated gradients of what `run` computes, as JSON; both are linear, so they are exact with any number of steps. */
export function explain(
  model: FakeModel,
  samples: readonly Nested[],
  instances: boolean,
  { method, baseline, target, detail }: ExplainSettings,
): Answer {
  if (method !== "integrated_gradients" || detail || target === "predicted") {
    return { code: notImplemented, body: "the fake engine gives integrated gradients of a fixed target only" };
  }
  const [place = 0] = target;
  const answers = samples.map((sample) => {
    const values = numbersOf(sample).map((x, i) => (model.behaviour === "sum" || i === place ? x - baseline : 0));
    return reshape(Float32Array.from(values), shapeOf(sample));
  });
  return { code: 0, body: JSON.stringify(instances ? { explanations: answers } : answers[0]) };
}

function numbersOf(value: Nested): number[] {
  return typeof value === "number" ? [value] : value.flatMap(numbersOf);
}

function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf((value[0] ?? 0) as Nested)] : [];
}

function reshape(values: Float32Array, shape: readonly number[]): Nested {
  const [first, ...rest] = shape;
  if (first === undefined) return values[0] ?? 0;
  const step = values.length / first;
  return Array.from({ length: first }, (_, i) => reshape(values.subarray(i * step, (i + 1) * step), rest));
}
