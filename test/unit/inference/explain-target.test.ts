import { expect, test } from "vitest";
import { readTarget, withTarget } from "../../../src/inference/explain-target.js";
import { explanation } from "../../contract/specs.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const of = (body: string, parts?: Readonly<Record<string, string>>, parameters = {}) =>
  withTarget(explanation, {
    body: bytes(body),
    parameters,
    parts:
      parts &&
      Object.entries(parts).map(([name, text]) => ({ name, fileName: "", contentType: "", bytes: bytes(text) })),
  }).target;

test.each([
  ["3", [3]],
  ["3, 10", [3, 10]],
  ["predicted", "predicted"],
])("%j", (text, target) => expect(readTarget(text)).toEqual(target));

test.each(["", "x", "-1", "1.5", "1,", "1,".repeat(20), "1e3", "9999999999"])("%j is refused", (text) => {
  expect(() => readTarget(text)).toThrow("target must be");
});

test("of the query, else of the form, else of the JSON object", () => {
  expect(of('{"data": "x", "target": 2}')).toEqual([2]);
  expect(of(' {"target": "predicted"}')).toBe("predicted");
  expect(of('{"target": [1, 2]}')).toEqual([1, 2]);
  expect(of('{"target": 2}', { target: "3", data: "x" })).toEqual([3]);
  expect(of('{"target": 2}', undefined, { target: "1" })).toEqual(explanation.target);
  for (const body of ["", "text", '{"data": 1}', '{"target": null}', '{"target": 2', "[1]"]) {
    expect(of(body)).toEqual(explanation.target);
  }
  expect(() => of('{"target": {"a": 1}}')).toThrow("target must be");
});
