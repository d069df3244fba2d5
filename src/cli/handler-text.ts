/** The texts that `sconce handler` writes. Pure. */

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
