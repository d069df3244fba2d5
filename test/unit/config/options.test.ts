import { describe, expect, test } from "vitest";
import { autoDefault, optionKeys, optionRows, optionTable, type OptionRow } from "../../../src/config/options.js";
import { fromText, showValue } from "../../../src/config/values.js";

describe("the option table", () => {
  test("names are unique and follow from the flag", () => {
    for (const key of ["flag", "env", "fileKey"] as const) {
      expect(new Set(optionTable.map((row) => row[key])).size).toBe(optionTable.length);
    }
    for (const row of optionTable) {
      expect(row.flag).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(row.env).toBe(`SCONCE_${row.flag.toUpperCase().replaceAll("-", "_")}`);
      expect(row.fileKey).toMatch(/^[a-z][A-Za-z]*$/);
      expect(row.help).toMatch(/\.$/);
    }
  });

  test("every default is a value that its own kind takes", () => {
    for (const row of optionTable as OptionRow[]) {
      if (row.fallback === undefined || row.auto !== undefined) continue;
      expect(fromText(row.kind, showValue(row.kind, row.fallback)), row.flag).toEqual(row.fallback);
    }
  });

  test("every automatic default is worked out, and is a value that the kind takes", () => {
    for (const key of optionKeys) {
      const row: OptionRow = optionRows[key];
      if (row.auto === undefined) continue;
      const machine = { cores: 6, logToTerminal: false, torchserve: false, command: true, metricsLogs: "m" };
      const value = autoDefault(key, machine, 6);
      expect(fromText(row.kind, showValue(row.kind, value!)), row.flag).toEqual(value);
    }
  });

  test("one core leaves one of everything", () => {
    expect(autoDefault("httpThreads", { cores: 1, logToTerminal: true, torchserve: false }, 1)).toBe(1);
    expect(autoDefault("loadParallelism", { cores: 1, logToTerminal: true, torchserve: false }, 1)).toBe(1);
    expect(autoDefault("logFormat", { cores: 1, logToTerminal: true, torchserve: false }, 1)).toBe("text");
  });
});
