/** The committed models with their golden cases (test/fixtures/models), and how an answer is compared with one. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll } from "vitest";
import { repository } from "./server.js";

export interface Tensor {
  readonly dtype?: string;
  readonly shape: readonly number[];
  /** Integers of 16 digits and more are kept as text. */
  readonly data: readonly (number | boolean | string)[];
}

export interface Case {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** By path: "output" alone, a dict's key, "1.0" for the first of the second. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

export interface Golden {
  readonly name: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly optional?: boolean;
  }[];
  readonly cases: readonly Case[];
}

export const fixtures = `${repository}test/fixtures/models/`;

/** JSON whose integers are exact: those that a double may not hold become strings. */
export function parseExact(text: string): unknown {
  return JSON.parse(text.replaceAll(/(?<![\d.eE+"-])-?\d{16,}(?![\d.eE"])/g, '"$&"'));
}

/** Every committed fixture that has golden cases. */
export function readGoldens(): Golden[] {
  if (!existsSync(fixtures)) return [];
  return readdirSync(fixtures)
    .filter((file) => file.endsWith(".json") && existsSync(fixtures + file.replace(/json$/, "pt")))
    .map((file) => ({
      name: file.slice(0, -5),
      ...(parseExact(readFileSync(fixtures + file, "utf8")) as Omit<Golden, "name">),
    }))
    .filter((golden) => golden.cases.length > 0);
}

const folders: string[] = [];
afterAll(() => {
  for (const each of folders.splice(0)) rmSync(each, { recursive: true });
});

/** Copies the models into a folder of their own with their declarations, gone after the file's tests; answers the paths to serve. */
export function declareModels(goldens: readonly Golden[]): string[] {
  const folder = mkdtempSync(`${tmpdir()}/sconce-goldens-`);
  folders.push(folder);
  return goldens.map(({ name, inputs }) => {
    copyFileSync(`${fixtures}${name}.pt`, `${folder}/${name}.pt`);
    // YAML reads JSON.
    writeFileSync(`${folder}/${name}.yaml`, JSON.stringify({ sconce: { inputs } }));
    return `${folder}/${name}.pt`;
  });
}

function nest(data: readonly unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return data[0];
  const step = data.length / (shape[0] ?? 1);
  return Array.from({ length: shape[0] ?? 0 }, (_, i) => nest(data.slice(i * step, (i + 1) * step), shape.slice(1)));
}

/** One sample as JSON: bare for a single input, by name for several. */
export function sampleText(golden: Golden, { inputs }: Case): string {
  const texts = Object.entries(inputs).map(([name, { shape, data }]) => [name, exactText(nest(data, shape))] as const);
  if (golden.inputs.length === 1) return texts[0]?.[1] ?? "";
  return `{${texts.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

/** Integers that were kept as text go out as numbers again. */
function exactText(value: unknown): string {
  return JSON.stringify(value).replaceAll(/"(-?\d{16,})"/g, "$1");
}

function flatten(value: unknown, shapes: Readonly<Record<string, Tensor>>, path = ""): Record<string, unknown[]> {
  const own = shapes[path === "" ? "output" : path];
  if (own !== undefined) return { [path === "" ? "output" : path]: [value].flat(Infinity) };
  if (value === null) return {};
  const found: Record<string, unknown[]> = {};
  for (const [key, each] of Object.entries(value as Record<string, unknown>)) {
    Object.assign(found, flatten(each, shapes, path === "" ? key : `${path}.${key}`));
  }
  return found;
}

/** Relative tolerances beside float32's: half the distance between neighbours, as the last rounding may differ. */
const lowPrecision: Readonly<Record<string, number>> = { float16: 1e-3, bfloat16: 8e-3 };

/** What differs between an answer (parsed by `parseExact`) and the case, or nothing. `rtol` serves as atol/max|b| too. */
export function difference(answer: unknown, { outputs }: Case, rtol: number): string | undefined {
  const got = flatten(answer, outputs);
  if (Object.keys(got).sort().join() !== Object.keys(outputs).sort().join())
    return `outputs ${Object.keys(got).join()}`;
  for (const [path, want] of Object.entries(outputs)) {
    const fault = tensorDifference(got[path] ?? [], want, rtol);
    if (fault !== undefined) return `${path}: ${fault}`;
  }
  return undefined;
}

export function tensorDifference(got: readonly unknown[], want: Tensor, rtol: number): string | undefined {
  if (got.length !== want.data.length) return `${got.length} values instead of ${want.data.length}`;
  if (!(want.dtype ?? "").includes("float")) {
    const wrong = want.data.findIndex((value, i) => value !== got[i]);
    return wrong < 0 ? undefined : `value ${wrong} is ${String(got[wrong])} instead of ${String(want.data[wrong])}`;
  }
  const tolerance = Math.max(rtol, lowPrecision[want.dtype ?? ""] ?? 0);
  const numbers = want.data.map(Number);
  const largest = Math.max(...numbers.map(Math.abs));
  const wrong = numbers.findIndex((b, i) => !(Math.abs(Number(got[i]) - b) <= tolerance * (largest + Math.abs(b))));
  return wrong < 0 ? undefined : `value ${wrong} is ${String(got[wrong])} instead of ${String(numbers[wrong])}`;
}
