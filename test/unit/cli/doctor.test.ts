import { describe, expect, test } from "vitest";
import { checkCpu, checkDescriptors, checkNode, doctor, table } from "../../../src/cli/doctor.js";
import { fakeTerminal } from "./fake-terminal.js";

test.each([
  ["v20.16.0", "fail"],
  ["v20.17.0", "ok"],
  ["v18.20.0", "fail"],
  ["v22.0.0", "ok"],
])("Node.js %s: %s", (version, status) => expect(checkNode(version).status).toBe(status));

test("CPU features", () => {
  expect(checkCpu("model name\t: X\nflags\t: fpu avx2 fma avx512f\n")).toEqual({
    name: "CPU",
    status: "ok",
    found: "X (avx2 fma avx512f)",
  });
  expect(checkCpu("flags : fpu\n")).toMatchObject({ status: "warn", fix: expect.stringContaining("AVX2") as string });
});

test.each([
  ["1024", "warn"],
  ["4096", "ok"],
  ["unlimited", "ok"],
])("%s open files: %s", (count, status) => {
  const limits = `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${count}                 1048576              files\n`;
  expect(checkDescriptors(limits)).toMatchObject({ found: count, status });
});

test("a remedy stands below what is wrong", () => {
  const checks = [
    { name: "a", status: "ok", found: "fine" },
    { name: "bcd", status: "fail", found: "gone", fix: "get it" },
  ] as const;
  expect(table(checks, false)).toBe("ok    a    fine\nFAIL  bcd  gone\n           → get it\n");
});

describe("on this machine", () => {
  test("says the same as data, and fails exactly when a check does", { timeout: 90_000 }, async () => {
    const { terminal, out } = fakeTerminal();
    const code = await doctor(true, terminal);
    const found = JSON.parse(out()) as { ok: boolean; checks: { name: string; status: string }[] };
    expect(found.checks.map((check) => check.name)).toContain("libtorch");
    expect(found.ok).toBe(!found.checks.some((check) => check.status === "fail"));
    expect(code).toBe(found.ok ? 0 : 1);
  });
});
