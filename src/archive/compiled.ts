/**
 * What a compiled package was compiled for. Its code checks nothing that it is given: of other sizes or dtypes it reads memory
 * that is not its input's, and an index that is too large there ends the process. PyTorch does write checks beside it, in C++,
 * that an environment variable turns on; they refuse batches of one, so they are read here, and held against `sconce.inputs`.
 */
import type { DType, InputSpec, TextSpec } from "../types.js";
import { invalid } from "./failure.js";

/** One input; dimensions count the batch's. Nothing is known of what is absent. */
export interface CompiledInput {
  dtype?: DType;
  readonly sizes: Map<number, number>;
  /** Of a dimension that may have several sizes. */
  readonly most: Map<number, number>;
}

/** By place. Empty where the package has no source. */
export type CompiledInputs = ReadonlyMap<number, CompiledInput>;

const sources = /\/data\/aotinductor\/.+\.cpp$/;
const size = /input_handles\[(\d{1,4})\]: unmatched dim value at (\d{1,2}), "\s*<< "expected: (\d{1,18})\D/g;
const most = /input_handles\[(\d{1,4})\]: dim value is too large at (\d{1,2}), "\s*<< "expected to be <= (\d{1,18})\D/g;
const type = /input_handles\[(\d{1,4})\]: unmatched dtype, "\s*<< "expected: " << \w{1,100} << "\(at::k(\w{1,30})\)/g;
/** Of a chunk's end, looked at again with the next one: longer than a check's words. */
const overlap = 512;

const dtypes: ReadonlyMap<string, DType> = new Map([
  ["Bool", "bool"],
  ["Byte", "uint8"],
  ["Char", "int8"],
  ["Short", "int16"],
  ["Int", "int32"],
  ["Long", "int64"],
  ["Half", "float16"],
  ["BFloat16", "bfloat16"],
  ["Float", "float32"],
  ["Double", "float64"],
]);

/** Looks through a package's records as they are read. */
export class CompiledScan {
  readonly inputs = new Map<number, CompiledInput>();
  private tail = "";
  private file = "";

  take(file: string, chunk: Buffer): void {
    if (!sources.test(file)) return;
    const text = (file === this.file ? this.tail : "") + chunk.toString("latin1");
    for (const [, at, dimension, value] of text.matchAll(size)) this.of(at).sizes.set(Number(dimension), Number(value));
    for (const [, at, dimension, value] of text.matchAll(most)) this.of(at).most.set(Number(dimension), Number(value));
    for (const [, at, name = ""] of text.matchAll(type)) {
      const dtype = dtypes.get(name);
      if (dtype !== undefined) this.of(at).dtype = dtype;
    }
    this.file = file;
    this.tail = text.slice(-overlap);
  }

  private of(at: string | undefined): CompiledInput {
    const place = Number(at);
    const known = this.inputs.get(place) ?? { sizes: new Map(), most: new Map() };
    this.inputs.set(place, known);
    return known;
  }
}

/** Throws ServerError invalid_model where the model's declared inputs are not those that it was compiled for. */
export function checkCompiled(
  path: string,
  compiled: CompiledInputs,
  inputs: readonly InputSpec[],
  text: Pick<TextSpec, "buckets"> | undefined,
): void {
  inputs.forEach((input, place) => {
    const made = compiled.get(place);
    const wrong = made && (wrongType(input, made) ?? wrongSize(input, made) ?? tooLarge(input, made, text));
    if (wrong === undefined) return;
    throw invalid(path, `input ${input.name} was compiled for ${wrong}; a compiled package does not check its inputs`);
  });
}

function wrongType({ dtype }: InputSpec, made: CompiledInput): string | undefined {
  if (made.dtype === undefined || made.dtype === dtype) return undefined;
  return `${made.dtype}, and sconce.inputs declares ${dtype}`;
}

function wrongSize({ shape }: InputSpec, { sizes }: CompiledInput): string | undefined {
  for (const [dimension, expected] of sizes) {
    if (dimension === 0 && expected !== 1)
      return `batches of ${expected} alone: export it for one sample, or for any number (torch.export.Dim)`;
    if (dimension === 0 || shape[dimension - 1] === expected) continue;
    const declared = shape.map((each, at) => sizes.get(at + 1) ?? each);
    return `size ${expected} in dimension ${dimension}, and sconce.inputs declares shape ${JSON.stringify(shape)}: make it ${JSON.stringify(declared)}, or export it with torch.export.Dim there`;
  }
  return undefined;
}

function tooLarge(
  { shape }: InputSpec,
  { most: limits }: CompiledInput,
  text: Pick<TextSpec, "buckets"> | undefined,
): string | undefined {
  for (const [dimension, limit] of limits) {
    if (dimension === 0) continue;
    const declared = shape[dimension - 1] ?? -1;
    const longest = declared < 0 ? (text?.buckets.at(-1) ?? 0) : declared;
    if (longest > limit) {
      const option = declared < 0 ? "sconce.text.maxLength or buckets" : "sconce.inputs";
      return `sizes up to ${limit} in dimension ${dimension}, and ${option} asks for ${longest}`;
    }
  }
  return undefined;
}
