import { describe, expect, test } from "vitest";
import { TokenCheck } from "../../../src/auth/token-check.js";
import { createTokenMemory, tokenKinds, writeToken } from "../../../src/auth/token-memory.js";

const keys = { management: "m".repeat(43), inference: "i".repeat(43), API: "a".repeat(43) };

function make(now = 1000) {
  const memory = createTokenMemory();
  for (const kind of tokenKinds) writeToken(memory, kind, { key: keys[kind], expiresAtMs: 2000 });
  let time = now;
  return { memory, check: new TokenCheck(memory, () => time), at: (ms: number) => (time = ms) };
}

describe("TokenCheck", () => {
  test("each key opens its own kind and no other", () => {
    const { check } = make();
    for (const kind of tokenKinds)
      for (const other of tokenKinds) expect(check.allows(kind, `Bearer ${keys[other]}`)).toBe(kind === other);
  });

  test.each([
    ["", false],
    [keys.inference, false],
    [`bearer ${keys.inference}`, false],
    [`Basic ${keys.inference}`, false],
    [`Bearer  ${keys.inference}`, true],
    [`Bearer\t${keys.inference}`, true],
    [`Bearer ${keys.inference}x`, false],
    [`Bearer ${keys.inference.slice(1)}`, false],
    [`Bearer ${keys.inference} x`, false],
    [`Bearer ${keys.inference},Bearer ${keys.inference}`, false],
    [`Bearer ${keys.inference.slice(0, -1)}\u0000`, false],
    ["Bearer \u0000", false],
    [`Bearer ${"x".repeat(10_000)}`, false],
    [`Bearer ${"é".repeat(43)}`, false],
  ])("%j: %s", (header, allowed) => {
    expect(make().check.allows("inference", header)).toBe(allowed);
  });

  test("before anything was written nothing passes, not even nothing", () => {
    const check = new TokenCheck(createTokenMemory());
    for (const header of ["", "Bearer ", "Bearer \u0000", "Bearer x"]) expect(check.allows("API", header)).toBe(false);
  });

  test("a key is good until its time, by the wall clock, whichever way that jumps", () => {
    const { check, at } = make();
    const allowed = (ms: number) => {
      at(ms);
      return check.allows("inference", `Bearer ${keys.inference}`);
    };
    expect([1999, 2000, 3_600_000, 0].map(allowed)).toEqual([true, false, false, true]);
  });

  test("a new key counts at once, the old one no longer", () => {
    const { check, memory } = make();
    expect(check.allows("inference", `Bearer ${keys.inference}`)).toBe(true);
    writeToken(memory, "inference", { key: "n".repeat(43), expiresAtMs: undefined });
    expect(check.allows("inference", `Bearer ${keys.inference}`)).toBe(false);
    expect(check.allows("inference", `Bearer ${"n".repeat(43)}`)).toBe(true);
  });
});
