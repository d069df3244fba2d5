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
