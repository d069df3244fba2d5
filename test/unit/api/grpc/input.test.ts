import { expect, test } from "vitest";
import { bodyOf } from "../../../../src/api/grpc/input.js";

const bytes = (map: Readonly<Record<string, string>>): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(map).map(([name, text]) => [name, Buffer.from(text, "latin1")]));
const read = (map: Readonly<Record<string, string>>, raw = false): string =>
  Buffer.from(bodyOf(bytes(map), raw)).toString("latin1");

test("data, else body, is the whole input; marks of sequence batching are none", () => {
  expect(read({ data: "[1]" })).toBe("[1]");
  expect(read({ body: "[2]" })).toBe("[2]");
  expect(read({ body: "[2]", data: "[1]" })).toBe("[1]");
  expect(read({ data: "[1]", ts_request_sequence_start: "true", ts_request_sequence_end: "true" })).toBe("[1]");
});

test("other names are the model's inputs, as one JSON object", () => {
  expect(JSON.parse(read({ ids: "[1, 2]", 'a"b': "true" }))).toEqual({ ids: [1, 2], 'a"b': true });
  expect(JSON.parse(read({ data: "[1]", mask: "[0]" }))).toEqual({ data: [1], mask: [0] });
});

test("a handler that reads bytes takes a lone entry, or data among others", () => {
  expect(read({ image: "\x89PNG" }, true)).toBe("\x89PNG");
  expect(read({ image: "a", data: "b" }, true)).toBe("b");
  expect(() => read({ a: "1", b: "2" }, true)).toThrow('reads one input, "data"; got a, b');
});

test("nothing, an empty input and .npy by name are refused by name", () => {
  expect(() => read({})).toThrow('put its bytes under "data"');
  expect(() => read({ ids: "" })).toThrow('The input "ids" is empty');
  expect(() => read({ ids: "\x93NUMPY" })).toThrow('goes alone as "data"');
});
