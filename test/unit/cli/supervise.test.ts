import { describe, expect, test } from "vitest";
import { codeOf, restartDelayMs, restartPolicy, shouldRestart } from "../../../src/cli/supervise.js";

describe("the supervisor's rules", () => {
  test.each([
    [1, 500],
    [2, 1000],
    [3, 2000],
    [11, 300_000],
    [10_000, 300_000],
  ])("after death %i it waits %i ms", (deaths, ms) => expect(restartDelayMs(restartPolicy, deaths)).toBe(ms));

  test.each([
    ["a clean end", { code: 0, signal: null }, false, true, false],
    ["a wrong configuration", { code: 2, signal: null }, false, true, false],
    ["a model that never loaded", { code: 3, signal: null }, false, false, false],
    ["a port taken at the first start", { code: 1, signal: null }, false, false, false],
    ["a failure after it was ready", { code: 1, signal: null }, false, true, true],
    ["a crash", { code: null, signal: "SIGSEGV" }, false, true, true],
    ["a crash at the first start", { code: null, signal: "SIGKILL" }, false, false, true],
    ["an end that was asked for", { code: null, signal: "SIGTERM" }, true, true, false],
  ] as const)("%s", (_, end, asked, everReady, again) => expect(shouldRestart(end, asked, everReady)).toBe(again));

  test("returns the child's code, or 128 + signal", () => {
    expect(codeOf({ code: 3, signal: null })).toBe(3);
    expect(codeOf({ code: null, signal: "SIGTERM" })).toBe(143);
    expect(codeOf({ code: null, signal: null })).toBe(1);
  });
});
