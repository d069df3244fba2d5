import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import {
  inferenceApi,
  managementApi,
  metricsApi,
  modelApi,
  predictionApi,
} from "../../../../src/api/torchserve/openapi.js";

test.each([
  ["inference", inferenceApi("1.2.3", "")],
  ["management", managementApi("1.2.3", "/base")],
  ["metrics", metricsApi("1.2.3")],
  ["a model's predictions", predictionApi("digits", "")],
  ["a model's management", modelApi("digits", "")],
])("%s: a document that validates, its operations named once", async (_, document) => {
  const { valid, errors } = await new Validator().validate(document as Record<string, unknown>);
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  const paths = (document as { paths: Record<string, Record<string, { operationId: string }>> }).paths;
  const ids = Object.values(paths).flatMap((path) => Object.values(path).map((each) => each.operationId));
  expect(new Set(ids).size).toBe(ids.length);
});

test("what a path takes besides POST, and the bounds of what it asks for, are told", () => {
  interface Parameter {
    readonly name: string;
    readonly schema: object;
  }
  type Paths = Readonly<Record<string, Readonly<Record<"post" | "put", { readonly parameters: Parameter[] }>>>>;
  interface Response {
    readonly content: Readonly<Record<"application/json", { readonly schema: object }>>;
  }
  type Described = Readonly<
    Record<string, { readonly get?: { readonly responses: Readonly<Record<"200", Response>> } }>
  >;
  const { paths } = inferenceApi("1.2.3", "") as { readonly paths: Paths };
  const both = ["post", "put"];
  for (const [path, verbs] of Object.entries(paths)) {
    if (/^\/(predictions|explanations)/.test(path)) expect(Object.keys(verbs), path).toEqual(both);
  }
  const described = (managementApi("1.2.3", "") as { readonly paths: Described }).paths["/models/{model_name}"]?.get;
  expect(described?.responses["200"].content["application/json"].schema).toMatchObject({ type: "array" });
  const steps = paths["/explanations/{model_name}"]?.post.parameters.find(({ name }) => name === "steps");
  expect(steps?.schema).toEqual({ type: "integer", minimum: 1, maximum: 1000 });
});
