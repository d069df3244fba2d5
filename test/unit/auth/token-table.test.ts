import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { maxTokens, type NamedToken, take, TokenTable, TokenView } from "../../../src/auth/token-table.js";

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();
const token = (name: string, more: Partial<NamedToken> = {}): NamedToken => ({
  ...{ name, role: "infer", sha256: hashOf(name), expiresAtMs: undefined, limit: undefined },
  ...more,
});
const limit = { name: "slow", rate: 10, burst: 3 };

function make(tokens: readonly NamedToken[]) {
  const table = new TokenTable();
  table.write(tokens);
  const view = new TokenView(table.memory);
  const find = (name: string) => view.find(hashOf(name).toString("hex"));
  return { table, find };
}

test("what was written is found, on every view, by its hash alone", () => {
  const { find } = make([token("a", { role: "admin", expiresAtMs: 5, limit }), token("b", { role: "viewer" })]);
  expect(find("a")).toMatchObject({ name: "a", role: "admin", expiresAtMs: 5, limitName: "slow" });
  expect(find("b")).toMatchObject({ name: "b", role: "viewer", expiresAtMs: Infinity, intervalUs: 0, limitName: "" });
  expect(find("c")).toBeUndefined();
});

test("a burst at once, then evenly, counted together whoever asks", () => {
  const { table, find } = make([token("a", { limit })]);
  const at = (us: number): number => take(find("a")!, BigInt(us));
  const other = new TokenView(table.memory).find(hashOf("a").toString("hex"))!;
  expect([at(1000), take(other, 1000n), at(1000)]).toEqual([0, 0, 0]);
  expect([at(1000), take(other, 1000n), at(51_000)]).toEqual([100, 100, 50]);
  expect([at(101_000), at(101_000)]).toEqual([0, 100]);
  // After a long silence the burst is there again, and no more.
  expect([1, 2, 3, 4].map(() => at(60_000_000))).toEqual([0, 0, 0, 100]);
  expect(table.counts()).toEqual([{ name: "a", allowed: 7, limited: 5 }]);
});

test("a new table counts at once; a token that stays keeps its counts", () => {
  const { table, find } = make([token("a", { limit }), token("b")]);
  for (let i = 0; i < 4; i++) take(find("a")!, 1000n);
  table.write([token("c"), token("a", { limit })]);
  expect([find("b"), find("c")?.name]).toEqual([undefined, "c"]);
  expect(take(find("a")!, 1000n)).toBeGreaterThan(0);
  expect(table.counts()[1]).toEqual({ name: "a", allowed: 3, limited: 2 });
});

test("as many as there may be, with the longest names", () => {
  const names = Array.from({ length: maxTokens }, (_, index) => String(index).padStart(64, "x"));
  const { table, find } = make(names.map((name) => token(name, { limit: { ...limit, name } })));
  expect(names.every((name) => find(name)?.limitName === name)).toBe(true);
  table.write([]);
  expect(find(names[0]!)).toBeUndefined();
});
