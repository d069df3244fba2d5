import { describe, expect, test } from "vitest";
import { readTexts } from "../../../../src/handlers/text/read-texts.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string, type = "") => readTexts(bytes(text), type, 3, 20);

describe("the forms of a text", () => {
  test.each([
    ["hello there", "", "hello there"],
    ["", "text/plain", ""],
    ['"hello"', "application/json", "hello"],
    ['{"data": "hello"}', "", "hello"],
    ['{"body": "hello"}', "application/json; charset=utf-8", "hello"],
    ['{"text": "hello"}', "application/x-www-form-urlencoded", "hello"],
    ['{"data": "hello"}', "text/plain", '{"data": "hello"}'],
    ["[sic] it says", "", "[sic] it says"],
    ['{"data": "\\ud83d\\ude00"}', "", "😀"],
  ])("%s as %s", (text, type, expected) => {
    expect(read(text, type)).toEqual({ texts: [expected], form: "one" });
  });

  test("several", () => {
    expect(read('["a", {"data": "b"}]')).toEqual({ texts: ["a", "b"], form: "list" });
    expect(read('{"instances": ["a", {"text": "b"}]}')).toEqual({ texts: ["a", "b"], form: "instances" });
  });
});

describe("what is refused", () => {
  test.each([
    ["hello", "application/json", "bad_request", "is not JSON"],
    ["7", "application/json", "bad_request", "holds no text"],
    ['{"data": 7}', "", "bad_request", "holds no text"],
    ['["a", ["b"]]', "", "bad_request", "Text 1 holds no text"],
    ["[]", "", "bad_request", "holds no texts"],
    [
      '["a", "b", "c", "d"]',
      "",
      "bad_request",
      "4 texts, more than 3; --max-instances or the model's sconce.maxInstances",
    ],
    ['"\\ud83d"', "", "bad_request", "surrogate"],
    ["x".repeat(21), "", "payload_too_large", "21 bytes of UTF-8, more than 20 (maxTextSize)"],
    ['["a", "ääääääääääb"]', "", "payload_too_large", "Text 1 is 21 bytes"],
  ])("%s as %s", (text, type, code, words) => {
    expect(() => read(text, type)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }));
  });

  test("bytes that are no UTF-8", () => {
    expect(() => readTexts(Uint8Array.of(0x61, 0xff), "", 3, 20)).toThrow("not UTF-8");
  });
});
