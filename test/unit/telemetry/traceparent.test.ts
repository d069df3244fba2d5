import { describe, expect, test } from "vitest";
import { readTraceparent, writeTraceparent } from "../../../src/telemetry/traceparent.js";

const trace = "0af7651916cd43dd8448eb211c80319c";
const parent = "b7ad6b7169203331";

describe("traceparent", () => {
  test.each([
    [`00-${trace}-${parent}-00`, 0],
    [`00-${trace}-${parent}-01`, 1],
    [`00-${trace}-${parent}-03`, 3],
    [`00-${trace}-${parent}-ff`, 3],
    [`cc-${trace}-${parent}-09`, 1],
    [`cc-${trace}-${parent}-01-what the future brings`, 1],
  ])("%s is one", (text, flags) => {
    const read = readTraceparent(text);
    expect(read).toEqual({ traceId: trace, parentId: parent, flags });
    expect(read && writeTraceparent(read)).toBe(`00-${trace}-${parent}-0${flags}`);
  });

  test.each([
    "",
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-01-more`,
    `00-${trace}-${parent}-01-`,
    `cc-${trace}-${parent}-01.more`,
    `ff-${trace}-${parent}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${"0".repeat(32)}-${parent}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace.slice(1)}-${parent}-01`,
    ` 00-${trace}-${parent}-01`,
    `00-${trace}-${parent}-01\n`,
    `00-${trace}-${parent}-01, 00-${trace}-${parent}-01`,
    `cc-${trace}-${parent}-01-${"x".repeat(512)}`,
  ])("%j is none", (text) => {
    expect(readTraceparent(text)).toBeUndefined();
  });
});
