/** The texts that `sconce handler` writes. Pure. */
import { UsageError } from "../config/usage-error.js";
import type { DType, InputSpec, Signature } from "../types.js";

export function handlerTemplate(javascript: boolean): string {
  const as = javascript ? "" : " as { x?: unknown }";
  const numbers = javascript ? "x" : "x as number[]";
  return `import { defineHandler, HandlerError, tensor } from "sconce";

export default defineHandler({
  // One request's body becomes the model's input, without the batch dimension.
  preprocess(request) {
    const { x } = request.json()${as};
    if (!Array.isArray(x)) throw new HandlerError(400, "x must be a list of numbers");
    return tensor(Float32Array.from(${numbers}), [x.length]);
  },

  // What is returned is sent as JSON.
  postprocess([output]) {
    return { scores: output${javascript ? "" : "?"}.data };
  },
});
`;
}

/** Of one that needs no model file. */
export function aloneTemplate(javascript: boolean): string {
  return `import { defineHandler, HandlerError } from "sconce";

export default defineHandler({
  // There is no model file: this hook is all there is. What is returned is sent as JSON.
  inference(_input, request) {
    const { name } = request.json()${javascript ? "" : " as { name?: unknown }"};
    if (typeof name !== "string") throw new HandlerError(400, "name must be a text");
    return { greeting: \`Hello, \${name}\` };
  },
});
`;
}

export function yamlTemplate(file: string): string {
  return `handler: ${file}
sconce:
  # What the model takes, without the batch dimension; -1 is any length. \`sconce handler types\` makes types of it.
  # inputs:
  #   - { name: x, dtype: float32, shape: [16] }
  handler:
    # Seconds that a hook may take.
    hookTimeout: 10
`;
}

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

/** A module with the types of a model's inputs by name. Throws UsageError when it declares none. */
export function signatureTypes(path: string, { inputs, outputs }: Signature): string {
  if (inputs.length === 0) {
    throw new UsageError(`${path} declares no inputs: add sconce.inputs (name, dtype, shape) to its model-config.yaml`);
  }
  const names = outputs.map((name) => JSON.stringify(name)).join(", ");
  return `// By sconce handler types. What preprocess may return: \`satisfies ModelInputs\` holds it to the model's declaration.

export interface ModelInputs {
${inputs.map(inputLine).join("\n")}
}

/** In the order in which postprocess gets them. */
export const outputNames = [${names}] as const;
`;
}

function inputLine({ name, dtype, shape, optional }: InputSpec): string {
  const sizes = shape.map((size) => (size < 0 ? "number" : String(size))).join(", ");
  const type = `{ readonly dtype: "${dtype}"; readonly shape: readonly [${sizes}]; readonly data: ${arrays[dtype]} }`;
  return `  readonly ${JSON.stringify(name)}${optional ? "?" : ""}: ${type};`;
}
