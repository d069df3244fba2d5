import { describe, expect, test } from "vitest";
import { HeaderPass, safeRequestId } from "../../../src/http/framing.js";

function read(fields: readonly (readonly [string, string])[], pass = new HeaderPass()): HeaderPass {
  pass.read({
    getUrl: () => "/",
    getQuery: () => "",
    getHeader: () => "",
    getCaseSensitiveMethod: () => "POST",
    forEach: (each) => {
      for (const [name, value] of fields) each(name, value);
    },
  });
  return pass;
}

describe("one pass over the headers", () => {
  test("collects the few that matter", () => {
    const pass = read([
      ["host", "x"],
      ["accept", "a/b"],
      ["content-type", "application/json"],
      ["content-encoding", "gzip"],
      ["content-length", "12"],
      ["x-request-id", "id-1"],
      ["traceparent", "one"],
      ["accept", "c/d"],
      ["traceparent", "two"],
    ]);
    expect(pass).toMatchObject({
      accept: "a/b,c/d",
      contentType: "application/json",
      contentEncoding: "gzip",
      contentLength: 12,
      requestId: "id-1",
      traceparent: "one,two",
      chunked: false,
      fault: "",
    });
  });

  test("forgets the request before", () => {
    const pass = read([
      ["content-length", "12"],
      ["content-length", "12"],
      ["traceparent", "x"],
      ["accept", "x"],
    ]);
    expect(read([], pass)).toMatchObject({ accept: "", traceparent: "", contentLength: -1, fault: "", chunked: false });
  });

  test.each([
    [
      [
        ["content-length", "3"],
        ["content-length", "3"],
      ],
      "Two Content-Length",
    ],
    [[["content-length", "-3"]], "not a number"],
    [[["content-length", "0x10"]], "not a number"],
    [[["content-length", "9".repeat(16)]], "not a number"],
    [[["transfer-encoding", "xchunked"]], "exactly `chunked`"],
    [[["transfer-encoding", "gzip, chunked"]], "exactly `chunked`"],
    [
      [
        ["transfer-encoding", "chunked"],
        ["transfer-encoding", "chunked"],
      ],
      "once",
    ],
    [
      [
        ["content-length", "3"],
        ["transfer-encoding", "chunked"],
      ],
      "Both",
    ],
    [
      [
        ["transfer-encoding", "chunked"],
        ["content-length", "3"],
      ],
      "Both",
    ],
    [[["content-length", "1.5"]], "not a number"],
    [[["content-length", ""]], "not a number"],
  ] as [[string, string][], string][])("refuses %j", (fields, words) => {
    expect(read(fields).fault).toContain(words);
  });

  test("no other letters than ASCII's make chunked", () => {
    expect(read([["transfer-encoding", "chun\u212aed"]]).fault).toContain("chunked");
  });

  test("takes chunked in any case", () => {
    expect(read([["transfer-encoding", "Chunked"]])).toMatchObject({ chunked: true, fault: "" });
  });
});

test("a request id is short visible ASCII or nothing", () => {
  expect(safeRequestId("a".repeat(128))).toHaveLength(128);
  for (const bad of ["", "a".repeat(129), "a b", "a\r\nb", "ü", "\x7f"]) expect(safeRequestId(bad)).toBe("");
});

test("the proxies' header is kept where it has been named, all of its fields", () => {
  const fields = [
    ["x-forwarded-for", "1.2.3.4"],
    ["forwarded", "for=5.6.7.8"],
    ["x-forwarded-for", "9.9.9.9"],
  ] as const;
  expect(read(fields).forwarded).toBe("");
  expect(read(fields, new HeaderPass("x-forwarded-for")).forwarded).toBe("1.2.3.4,9.9.9.9");
  expect(read(fields, new HeaderPass("forwarded")).forwarded).toBe("for=5.6.7.8");
});
