import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allowed,
  fromText,
  fromYaml,
  parseDuration,
  parseSize,
  placeholder,
  showDuration,
  showSize,
  showValue,
  type Kind,
} from "../../../src/config/values.js";

const kinds: Record<Kind["type"], Kind> = {
  string: { type: "string" },
  list: { type: "list" },
  boolean: { type: "boolean" },
  integer: { type: "integer", min: 1, max: 10 },
  port: { type: "port" },
  duration: { type: "duration", minMs: 0, maxMs: 60_000 },
  size: { type: "size", min: 1, max: 1024 },
  choice: { type: "choice", choices: ["a", "b"] },
  rising: { type: "rising", maxCount: 3 },
  modelSettings: { type: "modelSettings" },
  modelSnapshot: { type: "modelSnapshot" },
};

describe("values from text", () => {
  test.each([
    ["5", 5000],
    ["1.5s", 1500],
    ["250ms", 250],
    ["2m", 120_000],
    ["1 h", 3_600_000],
    ["0", 0],
    ["-1", undefined],
    ["", undefined],
    ["5 days", undefined],
    ["1e3", undefined],
  ])("duration %s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    ["65536", 65_536],
    ["64MiB", 64 * 1024 ** 2],
    ["64M", 64 * 1024 ** 2],
    ["1.5k", 1536],
    ["1g", 1024 ** 3],
    ["1kb", 1024],
    ["x", undefined],
    ["1T", undefined],
  ])("size %s", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each<[Kind["type"], string, unknown]>([
    ["integer", "10", 10],
    ["integer", "11", undefined],
    ["integer", "0", undefined],
    ["integer", "3.5", undefined],
    ["integer", "0x5", undefined],
    ["port", "7070", 7070],
    ["port", "off", "off"],
    ["port", "65536", undefined],
    ["port", "", undefined],
    ["boolean", "yes", true],
    ["boolean", "off", false],
    ["boolean", "maybe", undefined],
    ["choice", "b", "b"],
    ["choice", "B", undefined],
    ["list", "a=a.mar, b.mar", ["a=a.mar", "b.mar"]],
    ["rising", "1,2,3", [1, 2, 3]],
    ["rising", "1,1", undefined],
    ["rising", "1,2,3,4", undefined],
    ["rising", "a", undefined],
    ["string", "x", "x"],
    ["string", "", undefined],
    ["string", "a\0b", undefined],
    ["duration", "61", undefined],
    ["size", "1025", undefined],
  ])("%s %j", (kind, text, value) => expect(fromText(kinds[kind], text)).toEqual(value));

  test("what is shown can be read again", () => {
    const times = fc.property(fc.nat(10_000_000), (ms) => parseDuration(showDuration(ms)) === ms);
    const sizes = fc.property(fc.integer({ min: 1, max: 2 ** 36 }), (size) => parseSize(showSize(size)) === size);
    fc.assert(times);
    fc.assert(sizes);
  });
});

test.each<[Kind["type"], unknown, unknown]>([
  ["integer", 5, 5],
  ["integer", "5", 5],
  ["integer", 5.5, undefined],
  ["integer", true, undefined],
  ["boolean", true, true],
  ["boolean", 1, undefined],
  ["duration", 1.5, 1500],
  ["list", ["a", "b"], ["a", "b"]],
  ["list", [1], undefined],
  ["rising", [1, 2], [1, 2]],
  ["rising", [2, 1], undefined],
  ["string", null, undefined],
  ["string", { a: 1 }, undefined],
])("YAML %s %j", (kind, given, value) => expect(fromYaml(kinds[kind], given)).toEqual(value));

test("every kind can be described", () => {
  for (const kind of Object.values(kinds)) {
    expect(allowed(kind)).not.toBe("");
    if (kind.type !== "boolean") expect(placeholder(kind)).not.toBe("");
  }
  expect(showValue(kinds.duration, 1500)).toBe("1500 ms");
  expect(showValue(kinds.rising, [1, 2])).toBe("1, 2");
});

test("text of a given shape, and lists of networks", () => {
  const path: Kind = { type: "string", shape: { pattern: "/[a-z]+", words: "a path" } };
  expect(["/a", "a", "/a/", "x/a"].map((text) => fromText(path, text))).toEqual(["/a", ...Array(3).fill(undefined)]);
  expect(allowed(path)).toBe("a path");
  const networks: Kind = { type: "list", each: "network" };
  expect(fromText(networks, "10.0.0.1, ::1/64")).toEqual(["10.0.0.1", "::1/64"]);
  expect(fromText(networks, "10.0.0.1, proxy")).toBeUndefined();
  expect(fromYaml(networks, ["10.0.0.1", "proxy"])).toBeUndefined();
  expect(allowed(networks)).toContain("10.2.0.0/16");
});
