import { expect, test } from "vitest";
import { cleanHead, maxAnswerHeaderBytes, maxAnswerHeaders } from "../../../src/inference/answer-head.js";

test("what is not said has its defaults", () => {
  expect(cleanHead({}, true)).toEqual({ status: 200, contentType: "application/json", headers: undefined });
  expect(cleanHead({}, false).contentType).toBe("application/octet-stream");
});

test("headers are in lower case; those that say how the answer travels are left out", () => {
  const headers = [
    ["X-Own", "1"] as const,
    ["Content-Length", "7"] as const,
    ["transfer-encoding", "chunked"] as const,
  ];
  expect(cleanHead({ status: 418, contentType: "text/tea", headers }, true)).toEqual({
    status: 418,
    contentType: "text/tea",
    headers: [["x-own", "1"]],
  });
});

test.each([
  ["a status below", { status: 199 }, /the status 199; 200 to 599/],
  ["a status above", { status: 600 }, /the status 600/],
  ["a status between", { status: 200.5 }, /the status 200\.5/],
  ["a type with a line break", { contentType: "a\r\nx: y" }, /content type/],
  ["a value with a line break", { headers: [["a", "b\nc"] as const] }, /a value of a/],
  ["a name with a blank", { headers: [["a b", "c"] as const] }, /a header called "a b"/],
  ["too many", { headers: Array.from({ length: maxAnswerHeaders + 1 }, () => ["a", "b"] as const) }, /65 headers/],
  ["too long", { headers: [["a", "b".repeat(maxAnswerHeaderBytes)] as const] }, /bytes of headers/],
])("refused: %s", (_name, head, words) => {
  expect(() => cleanHead(head, true)).toThrow(words);
});
