import { expect, test } from "vitest";
import { readParameters, truth, wholeNumber } from "../../../../src/api/torchserve/parameters.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const given = (query: string) => readParameters(query, "", new Uint8Array());

test("a JSON body wins over the query; without one the query counts", () => {
  const body = bytes('{"url": "a.mar", "initial_workers": 2, "synchronous": false, "x": {"deep": 1}}');
  const read = readParameters("url=b.mar&batch_size=4", "application/json; charset=utf-8", body);
  expect([...read]).toEqual([
    ["url", "a.mar"],
    ["initial_workers", "2"],
    ["synchronous", "false"],
  ]);
  expect(readParameters("url=b.mar", "application/json", new Uint8Array()).get("url")).toBe("b.mar");
  expect(readParameters("url=b%20c.mar", "text/plain", body).get("url")).toBe("b c.mar");
});

test.each(["{", "[1]", "null", '"text"', "\u00ff"])("%j is no body", (text) => {
  const body = text === "\u00ff" ? new Uint8Array([0xff]) : bytes(text);
  expect(() => readParameters("", "application/json", body)).toThrow(/JSON/);
});

test("a deep body is read or refused, never more", () => {
  const deep = bytes(`{"url":"m","x":${"[".repeat(250_000)}${"]".repeat(250_000)}}`);
  try {
    expect(readParameters("", "application/json", deep).get("url")).toBe("m");
  } catch (error) {
    expect(error).toMatchObject({ code: "bad_request" });
  }
});

test.each([
  ['{"url": ["a"]}', '"url" is a list; expected a text, a whole number, true or false.'],
  ['{"url": {"a": 1}}', '"url" is an object;'],
  ['{"batch_size": 1.5}', '"batch_size" is 1.5;'],
  ['{"batch_size": 1e30}', '"batch_size" is 1e+30;'],
])("%s is refused", (text, message) => {
  expect(() => readParameters("", "application/json", bytes(text))).toThrow(message);
});

test("null and what nobody knows are passed over", () => {
  const read = readParameters("", "application/json", bytes('{"url": "a", "handler": null, "colour": [1.5]}'));
  expect([...read]).toEqual([["url", "a"]]);
});

test("a body over 1 MiB is not read", () => {
  const long = bytes(`{"url": "${"a".repeat(1 << 20)}"}`);
  expect(() => readParameters("", "application/json", long)).toThrow(/at most 1048576 are read/);
});

test("of what is given twice the first counts", () => {
  expect(wholeNumber(given("n=4&n=5"), "n", 0, 10)).toBe(4);
});

test("numbers that are none are not given; those over a limit are refused", () => {
  expect(wholeNumber(given("n=4"), "n", 0, 10)).toBe(4);
  for (const query of ["", "n=", "n=x", "n=1.5", "n=-1", "n=1e3"])
    expect(wholeNumber(given(query), "n", 0, 10)).toBeUndefined();
  expect(() => wholeNumber(given(`n=${"9".repeat(99)}`), "n", 0, 10)).toThrow("it can be at most 10.");
  expect(() => wholeNumber(given("n=11"), "n", 0, 10)).toThrow("n is 11; it can be at most 10.");
});

test("booleans", () => {
  expect([truth(given("s=True"), "s", false), truth(given("s=1"), "s", true), truth(given(""), "s", true)]).toEqual([
    true,
    false,
    true,
  ]);
});
