import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { errorRow, errorTable, nativeCount, nativeErrorCode, ServerError } from "../../src/errors.js";

/** `kBadRequest = 1,` → ["bad_request", 1], as native/core/status.h lists them. */
function nativeCodes(): [string, number][] {
  const header = readFileSync(new URL("../../native/core/status.h", import.meta.url), "utf8");
  const body = /enum class Code[^{]*\{([\s\S]*?)\};/.exec(header)?.[1] ?? "";
  return [...body.matchAll(/^\s*k(\w+) = (\d+),/gm)].map(([, name = "", value = ""]) => [
    name.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase(),
    Number(value),
  ]);
}

describe("the error table", () => {
  test("starts with native code's rows, in its order", () => {
    expect(nativeCodes()).toEqual(errorTable.slice(0, nativeCount).map((row, index) => [row.code, index]));
    const header = readFileSync(new URL("../../native/core/status.h", import.meta.url), "utf8");
    expect(header).toContain(`kCodeCount = ${nativeCount};`);
  });

  test("has each code once, an HTTP status of its kind and words", () => {
    const codes = errorTable.map((row) => row.code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const row of errorTable.slice(1)) {
      expect(row.http, row.code).toBeGreaterThanOrEqual(400);
      expect(row.http, row.code).toBeLessThan(600);
      expect(row.type, row.code).toMatch(/^[A-Z]\w+(Exception|Error)$/);
      expect(row.help, row.code).toMatch(/\.$/);
    }
  });

  test("closes the connection exactly where the rest of the request is unknown", () => {
    const closing = errorTable.filter((row) => row.closes).map((row) => row.code);
    expect(closing).toEqual(["payload_too_large", "bad_framing", "request_timeout", "headers_too_large"]);
  });
});

describe("native numbers", () => {
  test("map to their row; anything else is internal", () => {
    expect(nativeErrorCode(1)).toBe("bad_request");
    expect(nativeErrorCode(nativeCount - 1)).toBe("device_lost");
    for (const strange of [0, -1, nativeCount, 255, NaN]) expect(nativeErrorCode(strange)).toBe("internal");
  });
});

test("ServerError carries its row and its cause", () => {
  const cause = new Error("why");
  const error = new ServerError("queue_full", "10 wait already", { cause });
  expect(error.row).toBe(errorRow("queue_full"));
  expect(error).toMatchObject({ name: "ServerError", message: "10 wait already", cause });
});
