import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseProperties } from "../../../src/config/properties.js";

describe("parseProperties", () => {
  test("comments, blanks, separators, continuation lines, escapes, line numbers", () => {
    const text = [
      "# a comment",
      "! another",
      "",
      "inference_address=http://127.0.0.1:8080  ",
      "  job_queue_size : 10",
      "model_store /models",
      "models={\\",
      '  "m": {\\',
      '    "1.0": {"batchSize": 2}\\',
      "  }\\",
      "}",
      "name=caf\\u00e9\\ttab\\=",
      "empty=",
      "last = 1",
    ].join("\n");
    expect(parseProperties(text)).toEqual([
      { key: "inference_address", value: "http://127.0.0.1:8080", line: 4 },
      { key: "job_queue_size", value: "10", line: 5 },
      { key: "model_store", value: "/models", line: 6 },
      { key: "models", value: '{"m": {"1.0": {"batchSize": 2}}}', line: 7 },
      { key: "name", value: "café\ttab=", line: 12 },
      { key: "empty", value: "", line: 13 },
      { key: "last", value: "1", line: 14 },
    ]);
  });

  test.each([
    ["a=\\u00g7", "\\u00g7"],
    ["a=x\\u00", "\\u00"],
    ["\\u12=x", "\\u12=x"],
    ["a=\\\\u00g7", undefined],
    ["a=\\u0041", undefined],
    ["# \\u00g7\na=1", undefined],
  ])("%j has the bad escape %j", (text, badEscape) => {
    expect(parseProperties(text)[0]?.badEscape).toBe(badEscape);
  });

  test("Windows and old Mac line ends count as lines", () => {
    expect(parseProperties("a=1\r\n\r\nb=2\r\n").map(({ line }) => line)).toEqual([1, 3]);
  });

  test("whatever the text, it gives properties with lines of the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "=", "\\", "\n", "\r", "#", " ", "u", "0", "é") }), (text) => {
        const count = text.split(/\r\n|\r|\n/).length;
        for (const { line } of parseProperties(text)) expect(line >= 1 && line <= count).toBe(true);
      }),
    );
  });
});
