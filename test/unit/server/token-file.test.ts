import { expect, test } from "vitest";
import { readTokens } from "../../../src/server/token-file.js";

const hash = "0f".repeat(32);
const one = `{ name: a, role: infer, sha256: "${hash}" }`;

test("tokens with their limits", () => {
  const text = `
limits:
  standard: { rate: 2.5 }
tokens:
  - { name: shop, role: infer, sha256: ${"AB".repeat(32)}, limit: standard, expires: 2027-01-31T00:00:00Z }
  - { name: ops, role: admin, sha256: "${hash}" }
`;
  expect(readTokens("f", text)).toEqual([
    {
      name: "shop",
      role: "infer",
      sha256: Buffer.alloc(32, 0xab),
      expiresAtMs: Date.UTC(2027, 0, 31),
      limit: { name: "standard", rate: 2.5, burst: 3 },
    },
    { name: "ops", role: "admin", sha256: Buffer.alloc(32, 0x0f), expiresAtMs: undefined, limit: undefined },
  ]);
});

test.each([
  ["", /f: tokens: expected a list of 1 to 256/],
  ["- 1", /expected a list/],
  ["tokens: []", /f:1: tokens: expected a list/],
  ["tokens: [1]", /f:1: tokens\[0\] 1: expected a mapping with name, role/],
  [`tokens:\n  - { name: "a b", role: infer, sha256: "${hash}" }`, /f:2: tokens\[0\]\.name "a b": expected a name/],
  [
    `tokens:\n  - { name: a, role: boss, sha256: "${hash}" }`,
    /f:2: tokens\[0\]\.role "boss": expected infer, viewer, admin/,
  ],
  ["tokens:\n  - { name: a, role: infer, sha256: abc }", /sha256 "abc": expected the key's SHA-256/],
  ["tokens:\n  - { name: a, role: infer, key: secret }", /\.key "secret": expected only name/],
  [
    `limits: { s: { rate: 1 } }\ntokens: [{ name: a, role: infer, sha256: "${hash}", limit: t }]`,
    /limit "t": expected a name under limits: s/,
  ],
  [`limits: { s: { rate: 0 } }\ntokens: [${one}]`, /limits\.s\.rate 0: expected requests per second/],
  [`limits: { s: { rate: 1, burst: 0 } }\ntokens: [${one}]`, /limits\.s\.burst 0/],
  [`limits: { s: { rate: .nan } }\ntokens: [${one}]`, /limits\.s\.rate/],
  [`tokens: [{ name: a, role: infer, sha256: "${hash}", expires: soon }]`, /expires "soon": expected a day/],
  [`tokens: [${one}, ${one}]`, /tokens\[1\]: expected a name and a key of its own/],
  [`tokens: [${one}, { name: b, role: infer, sha256: "${hash}" }]`, /tokens\[1\]/],
  ["a: &x [1]\ntokens: [*x, *x]", /f/],
  ["tokens: [", /f: /],
])("%s is refused with its place", (text, words) => {
  expect(() => readTokens("f", text)).toThrow(words);
});
