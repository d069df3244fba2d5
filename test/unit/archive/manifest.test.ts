import { describe, expect, test } from "vitest";
import { insidePath, parseManifest } from "../../../src/archive/manifest.js";

const parse = (model: unknown) => parseManifest("m.mar", JSON.stringify({ createdOn: "x", model }));

describe("parseManifest", () => {
  test("reads the archiver's fields and leaves out what is empty", () => {
    const model = {
      modelName: "m",
      modelVersion: 2,
      handler: "base_handler",
      serializedFile: "m.pt",
      modelFile: "",
      extensions: 1,
    };
    expect(parse(model)).toEqual({
      modelName: "m",
      modelVersion: "2",
      handler: "base_handler",
      serializedFile: "m.pt",
    });
    expect(parseManifest("m.mar", '\uFEFF{"model": {}}')).toEqual({});
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no model", "{}"],
    ["a model that is none", '{"model": 1}'],
    ["a name that is no text", '{"model": {"modelName": 1}}'],
    ["a version that is an object", '{"model": {"modelVersion": {}}}'],
  ])("refuses %s", (_, text) => {
    expect(() => parseManifest("m.mar", text)).toThrow(/^m\.mar: /);
  });

  test.each(["configFile", "handler", "serializedFile", "modelFile", "requirementsFile"])(
    "%s stays inside",
    (field) => {
      for (const path of ["../x", "/etc/passwd", "a/../../x", "..", "C:\\x", "a\\..\\b", "a\0b"]) {
        expect(() => parse({ [field]: path }), path).toThrow(/lies outside the model's folder/);
      }
      expect(parse({ [field]: "..a/b" })).toEqual({ [field]: "..a/b" });
    },
  );

  test("a function behind a handler of one letter is no path on a drive", () => {
    expect(parse({ handler: "h:handle" })).toEqual({ handler: "h:handle" });
    expect(() => parse({ handler: "../h:handle" })).toThrow(/lies outside/);
  });
});

test("insidePath gives the normal form", () => {
  expect(insidePath("m", "f", "a/./b/../c.pt")).toBe("a/c.pt");
});
