import { expect, test } from "vitest";
import { parametersOf, PlainRequest } from "../../../src/inference/request.js";

const facts = { id: "", contentType: "", accept: "", parts: undefined, headers: {}, parameters: {}, urlPath: "" };
const make = (): PlainRequest => new PlainRequest({ ...facts, body: new Uint8Array(), explains: false });

test("a request that is over says so to whoever asks, before and after, once", () => {
  const told: string[] = [];
  const early = make();
  early.onAbort(() => told.push("early"));
  expect(told).toEqual([]);
  early.abort();
  early.abort();
  expect(told).toEqual(["early"]);
  const late = make();
  late.abort();
  late.onAbort(() => told.push("late"));
  expect(told).toEqual(["early", "late"]);
});

test("the query's parameters, the last of a name", () => {
  expect(parametersOf("")).toEqual({});
  expect(parametersOf("a=1&b=%C3%BC+x&a=2")).toEqual({ a: "2", b: "ü x" });
});
