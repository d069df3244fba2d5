/** The small OpenAPI document that `OPTIONS /predictions/{model}` answers. */

import { readableTypes, writableTypes } from "../../inference/negotiate.js";

/** `name` is a checked model name. */
export function predictionApi(name: string): unknown {
  const content = (types: string): Record<string, unknown> =>
    Object.fromEntries(types.split(", ").map((type) => [type, {}]));
  const operation = {
    operationId: "predict",
    description: `A prediction of the model ${name}.`,
    requestBody: { required: true, content: content(readableTypes) },
    responses: {
      "200": { description: "The model's outputs.", content: content(writableTypes) },
      default: { description: "An error: code, type and message.", content: { "application/json": {} } },
    },
  };
  return {
    openapi: "3.0.1",
    info: { title: `RESTful API for: ${name}`, version: "1.0.0" },
    paths: { [`/predictions/${name}`]: { post: operation, put: operation } },
  };
}
