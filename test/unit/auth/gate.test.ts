import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Gate, type Need } from "../../../src/auth/gate.js";
import { createTokenMemory, writeToken } from "../../../src/auth/token-memory.js";
import { type Role, roles, TokenTable } from "../../../src/auth/token-table.js";

const tokens = createTokenMemory();
writeToken(tokens, "inference", { key: "i".repeat(43), expiresAtMs: undefined });
writeToken(tokens, "management", { key: "m".repeat(43), expiresAtMs: undefined });
const table = new TokenTable();
const sha256 = (key: string): Buffer => createHash("sha256").update(key).digest();
const limit = { name: "one", rate: 0.5, burst: 1 };
table.write([
  ...roles.map((role: Role) => ({ name: role, role, sha256: sha256(role), expiresAtMs: 1000, limit: undefined })),
  { name: "slow", role: "infer", sha256: sha256("slow"), expiresAtMs: undefined, limit },
]);
const clocks = { now: () => 999, steadyUs: () => 7n };
const memory = { tokens, namedTokens: table.memory };
const gate = new Gate(memory, clocks);
const needs: readonly Need[] = ["infer", "view", "change"];

test.each([
  ["infer", ["pass", "forbidden", "forbidden"]],
  ["viewer", ["forbidden", "pass", "forbidden"]],
  ["admin", ["pass", "pass", "pass"]],
])("%s may: %s", (role, outcomes) => {
  expect(needs.map((need) => gate.ask("management", need, `Bearer ${role}`).outcome)).toEqual(outcomes);
});

test("the key file's keys pass beside them, each on its own port, and nothing else does", () => {
  const ask = (port: "inference" | "management", header: string): string => gate.ask(port, "infer", header).outcome;
  const key = `Bearer ${"i".repeat(43)}`;
  expect([ask("inference", key), ask("management", key)]).toEqual(["pass", "unauthorized"]);
  for (const header of [
    "",
    "Bearer",
    "Bearer nobody",
    "Basic admin",
    "bearer admin",
    `Bearer ${sha256("admin").toString("hex")}`,
  ])
    expect(ask("inference", header)).toBe("unauthorized");
  const closed = new Gate({ tokens: undefined, namedTokens: table.memory }, clocks);
  expect([closed.ask("inference", "infer", key).outcome, closed.mayRotate(key)]).toEqual(["unauthorized", false]);
});

test("an expired token is unknown, one of the wrong role is told which role", () => {
  const later = new Gate(memory, { ...clocks, now: () => 1000 });
  expect(later.ask("inference", "infer", "Bearer admin").outcome).toBe("unauthorized");
  expect(gate.ask("management", "change", "Bearer viewer")).toMatchObject({
    message: expect.stringContaining("admin") as string,
  });
});

test("over its limit: by its name, and when to come back; what does not count is not counted", () => {
  const ask = (counts: boolean) => gate.ask("inference", "infer", "Bearer slow", counts);
  expect([ask(false), ask(false), ask(true)].map((each) => each.outcome)).toEqual(["pass", "pass", "pass"]);
  expect(ask(true)).toEqual({
    outcome: "limited",
    retryAfterMs: 2000,
    message: expect.stringContaining("limit one") as string,
  });
  expect(ask(false).outcome).toBe("pass");
});
