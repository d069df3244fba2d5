import { expect, test } from "vitest";
import { resolve } from "./resolved.js";

test("the port that a hosting service names, the first of them, and open to it; sconce's own names win", () => {
  const both = { AIP_HTTP_PORT: "7001", SAGEMAKER_BIND_TO_PORT: "7002", PORT: "7003" };
  expect(resolve(both).config).toMatchObject({ port: 7001, host: "0.0.0.0" });
  expect(resolve({ ...both, AIP_HTTP_PORT: "" }).config).toMatchObject({ port: 7002, host: "0.0.0.0" });
  expect(resolve({ PORT: "7003" }).config).toMatchObject({ port: 7003, host: "127.0.0.1" });
  expect(resolve({ ...both, SCONCE_PORT: "7004", SCONCE_HOST: "::1" }).config).toMatchObject({
    port: 7004,
    host: "::1",
  });
  expect(resolve(both, ["--port", "7005"]).config.port).toBe(7005);
  expect(() => resolve({ AIP_HTTP_PORT: "http" })).toThrow("AIP_HTTP_PORT");
});

test("routes are paths without a query", () => {
  const route = "/v1/endpoints/1/deployedModels/2:predict";
  expect(resolve({ AIP_PREDICT_ROUTE: route, AIP_HEALTH_ROUTE: "/" }).config).toMatchObject({
    predictRoute: route,
    healthRoute: "/",
  });
  for (const bad of ["predict", "/a?b", "/a#b", "/a b", "/a\n"]) {
    expect(() => resolve({ AIP_PREDICT_ROUTE: bad }), bad).toThrow("a path such as /predict");
  }
});

test("what is not fetched is said", () => {
  expect(resolve({}).notes).toEqual([]);
  const [note] = resolve({ AIP_STORAGE_URI: "gs://bucket/model" }).notes;
  expect(note).toMatchObject({ level: "warn", message: expect.stringContaining("gs://bucket/model") as string });
});
