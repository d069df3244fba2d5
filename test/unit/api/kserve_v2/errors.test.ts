import { expect, test } from "vitest";
import { errorBody } from "../../../../src/api/kserve_v2/errors.js";

test("an error is its message under the table's status, cut short", () => {
  expect(errorBody("model_not_found", 'no "m"')).toEqual({ status: 404, body: '{"error":"no \\"m\\""}' });
  expect(errorBody("bad_request", "x".repeat(5000)).body.length).toBe(4096 + '{"error":""}'.length);
});
