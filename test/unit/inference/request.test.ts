import { expect, test } from "vitest";
import { parametersOf, PlainRequest } from "../../../src/inference/request.js";

const facts = { id: "", contentType: "", accept: "", parts: undefined, headers: {}, parameters: {}, urlPath: "" };
const make = (): PlainRequest => new PlainRequest({ ...facts, body: new Uint8Array(), explains: false });

test("a request that is over says so to whoever asks, before and after", () => {
  const early = make();
  const { signal } = early;
  expect(signal.aborted).toBe(false);
  early.abort();
  expect(signal.aborted).toBe(true);
  const late = make();
  late.abort();
  expect(late.signal.aborted).toBe(true);
});

test("the query's parameters, the last of a name", () => {
  expect(parametersOf("")).toEqual({});
  expect(parametersOf("a=1&b=%C3%BC+x&a=2")).toEqual({ a: "2", b: "ü x" });
});
