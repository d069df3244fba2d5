import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputFormat, OutputFormat } from "../../../src/engine/engine.js";
import { inputFormat, Memo, npyFirstByte, parseAccept, prefersPng, readAs } from "../../../src/inference/negotiate.js";

describe("Accept", () => {
  const { json, npy, raw } = OutputFormat;
  test.each([
    ["", json],
    ["*/*", json],
    ["application/*", json],
    ["application/json", json],
    ["Application/JSON ; charset=utf-8", json],
    ["application/x-npy", npy],
    ["application/octet-stream", raw],
    ["application/x-npy, application/json", npy],
    ["application/x-npy;q=0.5, application/json", json],
    ["application/json;q=0.1, application/x-npy;q=0.2", npy],
    ["text/html, application/xhtml+xml, */*;q=0.8", json],
    ["application/json;q=0, */*", npy],
    ["image/png, application/x-npy;q=0.001", npy],
    ["text/html", undefined],
    ["application/json;q=0", undefined],
    ["application/json;q=2", undefined],
    [",;,", undefined],
  ])("%s", (accept, format) => {
    expect(parseAccept(accept)).toBe(format);
  });

  test("never throws, and finds a format that is named with a weight", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAccept(text)));
    const weight = fc.integer({ min: 1, max: 999 }).map((each) => `;q=0.${String(each).padStart(3, "0")}`);
    fc.assert(
      fc.property(weight, fc.array(fc.constantFrom("text/html", "a/b;q=0.3", "")), (q, others) => {
        expect(parseAccept([...others, `application/x-npy${q}`].join(","))).toBe(npy);
      }),
    );
  });
});

describe("Content-Type", () => {
  test.each([
    ["", "sniff"],
    ["text/plain; charset=utf-8", "sniff"],
    ["application/x-www-form-urlencoded", "sniff"],
    ["application/json", "json"],
    ["APPLICATION/JSON;charset=utf-8", "json"],
    ["application/octet-stream", "raw"],
    ["application/x-npy", "npy"],
    ["multipart/form-data; boundary=x", "form"],
    ["text/html", "unsupported"],
  ] as const)("%s", (type, how) => {
    expect(readAs(type)).toBe(how);
  });

  test("the first byte tells .npy from JSON where the type does not", () => {
    expect(inputFormat("sniff", npyFirstByte)).toBe(InputFormat.npy);
    expect(inputFormat("sniff", 0x5b)).toBe(InputFormat.json);
    expect(inputFormat("json", npyFirstByte)).toBe(InputFormat.json);
    expect(inputFormat("raw", npyFirstByte)).toBe(InputFormat.raw);
  });
});

test("a memo holds no more than its capacity, and no long keys", () => {
  let made = 0;
  const memo = new Memo((key) => `${key}${made++}`, 2, 3);
  expect([memo.get("a"), memo.get("a")]).toEqual(["a0", "a0"]);
  expect(memo.get("long")).not.toBe(memo.get("long"));
  memo.get("b");
  memo.get("c");
  expect(memo.get("a")).not.toBe("a0");
});

test.each([
  ["image/png", true],
  ["image/*;q=0.5", true],
  ["IMAGE/PNG, application/json", true],
  ["image/png;q=0.4, application/json;q=0.5", false],
  ["image/png;q=0", false],
  ["image/webp", false],
  ["*/*", false],
  ["", false],
])("Accept: %s asks for a picture: %s", (accept, expected) => {
  expect(prefersPng(accept)).toBe(expected);
});
