/**
 * The module that `sconce handler types` writes: a model's inputs and outputs as a handler's hooks have them. What the model
 * declares counts; where it declares nothing, what TorchScript says of `forward`, which knows no dtypes and shapes. Pure.
 */
import type { Method } from "../archive/probe.js";
import { UsageError } from "../config/usage-error.js";
import type { DType, InputSpec, Signature } from "../types.js";

const arrays: Readonly<Record<DType, string>> = {
  bool: "Uint8Array",
  uint8: "Uint8Array",
  int8: "Int8Array",
  int16: "Int16Array",
  int32: "Int32Array",
  int64: "BigInt64Array",
  float16: "Uint16Array",
  bfloat16: "Uint16Array",
  float32: "Float32Array",
  float64: "Float64Array",
};

const tensorType = /^(?:Optional\[)?Tensor\]?$/;

/** Throws UsageError when nothing is known of the inputs. `methods`: the model file's; none: it was not read. */
export function signatureTypes(path: string, { inputs, outputs }: Signature, methods: readonly Method[]): string {
  const forward = methods.find(({ name }) => name === "forward");
  const lines = inputs.length > 0 ? inputs.map(declaredLine) : (forward?.arguments.flatMap(argumentLine) ?? []);
  if (lines.length === 0) {
    throw new UsageError(`${path} declares no inputs: add sconce.inputs (name, dtype, shape) to its model-config.yaml`);
  }
  const names = outputNames(outputs, forward?.returns);
  const types = lines.some((line) => line.endsWith(": Tensor;")) ? "OutputTensor, Tensor" : "OutputTensor";
  return `// By sconce handler types.
import type { ${types} } from "sconce";

/** What preprocess may return: \`return { … } satisfies ModelInputs\` holds it to the model. */
export interface ModelInputs {
${lines.join("\n")}
}

/** What postprocess gets: \`postprocess([…]: ModelOutputs)\`. */
export type ModelOutputs = ${outputsType(names)};
`;
}

function declaredLine({ name, dtype, shape, optional }: InputSpec): string {
  const sizes = shape.map((size) => (size < 0 ? "number" : String(size))).join(", ");
  const type = `{ readonly dtype: "${dtype}"; readonly shape: readonly [${sizes}]; readonly data: ${arrays[dtype]} }`;
  return `  readonly ${JSON.stringify(name)}${optional ? "?" : ""}: ${type};`;
}

/** None for what cannot be sent. */
function argumentLine({ name, type, default: fallback }: Method["arguments"][number]): readonly string[] {
  const mayMiss = fallback || type.startsWith("Optional[");
  return tensorType.test(type) ? [`  readonly ${JSON.stringify(name)}${mayMiss ? "?" : ""}: Tensor;`] : [];
}

/** As the engine names them: as declared where that fits. Undefined: their number is not known. */
function outputNames(declared: readonly string[], returns = ""): readonly string[] | undefined {
  const count = /^Tensor$|^Tuple\[Tensor(?:, Tensor)*\]$/.test(returns) ? returns.split(",").length : declared.length;
  if (count === 0) return undefined;
  return declared.length === count ? declared : Array.from({ length: count }, (_, place) => `output_${place}`);
}

function outputsType(names: readonly string[] | undefined): string {
  if (names === undefined) return "readonly OutputTensor[]";
  return `readonly [${names.map((name) => `OutputTensor & { readonly name: ${JSON.stringify(name)} }`).join(", ")}]`;
}
