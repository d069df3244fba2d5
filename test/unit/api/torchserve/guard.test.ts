import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { errorBody } from "../../../../src/api/torchserve/errors.js";
import { GuardedDialect, type GuardOptions } from "../../../../src/api/torchserve/guard.js";
import { readKeyFile } from "../../../../src/auth/key-file.js";
import { Gate } from "../../../../src/auth/gate.js";
import { TokenIssuer } from "../../../../src/auth/token-issuer.js";
import type { Dialect, Exchange } from "../../../../src/wire.js";

const root = mkdtempSync(join(tmpdir(), "sconce-guard-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const path = join(root, "key_file.json");
const issuer = new TokenIssuer({ path, expirationMs: 60_000 });
issuer.publish();
const key = (kind: "management" | "inference" | "API") => `Bearer ${readKeyFile(path)?.[kind]?.key ?? ""}`;

interface Seen {
  readonly passed: boolean;
  readonly status?: number;
  readonly body?: unknown;
}

/** One request through a guard. */
function ask(request: Partial<Exchange>, options: Partial<GuardOptions> = {}): Seen {
  let seen: Seen = { passed: false };
  const inner = { head: () => (seen = { passed: true }), error: errorBody } as unknown as Dialect;
  const gate = new Gate({ tokens: issuer.memory, namedTokens: undefined });
  const guard = new GuardedDialect(inner, { kind: "inference", gate, compat: "torchserve", ...options });
  const exchange = { method: "GET", path: "/predictions/m", query: "", authorization: "", ...request };
  const refuse: Exchange["refuse"] = (status, _type, body) => (seen = { passed: false, status, body });
  guard.head({ ...exchange, refuse } as Exchange);
  return seen;
}

describe("the guard", () => {
  test("lets the right key through and says TorchServe's words to any other", () => {
    expect(ask({ authorization: key("inference") }).passed).toBe(true);
    const refused = ask({ authorization: key("management") });
    expect(refused.status).toBe(400);
    expect(JSON.parse(String(refused.body))).toEqual({
      code: 400,
      type: "InvalidKeyException",
      message: "Token Authorization failed. Token either incorrect, expired, or not provided correctly",
    });
  });

  test.each([
    ["OPTIONS", "/", true, true],
    ["GET", "/", false, false],
    ["GET", "/api-description", true, true],
    ["GET", "/ping", false, true],
    ["GET", "/v2/health/ready", false, true],
    ["GET", "/pingx", false, false],
    ["GET", "/no/such/path", false, false],
    ["OPTIONS", "/predictions/m", false, false],
    ["GET", "/token", false, false],
  ])("%s %s without a key: torchserve %s, sconce %s", (method, path, torchserve, sconce) => {
    expect(ask({ method, path }).passed).toBe(torchserve);
    const own = ask({ method, path }, { compat: "sconce" });
    expect(own.passed).toBe(sconce);
    if (!sconce) expect(own.status).toBe(401);
  });

  test("GET /token with the API key makes a new key, for the type it names", () => {
    const options = { kind: "management", issuer } as const;
    const before = { management: key("management"), inference: key("inference") };
    const rotated = ask({ path: "/token", query: "type=inference", authorization: key("API") }, options);
    expect(rotated).toEqual({ passed: false, status: 200, body: "\n" });
    expect(key("inference")).not.toBe(before.inference);
    expect(key("management")).toBe(before.management);
    expect(ask({ authorization: before.inference }).passed).toBe(false);
    expect(ask({ authorization: key("inference") }).passed).toBe(true);
  });

  test.each([
    ["no type", { query: "" }],
    ["a type that is none", { query: "type=API" }],
    ["the management key", { query: "type=management", authorization: key("management") }],
    ["no key", { query: "type=management", authorization: "" }],
  ])("/token with %s is refused and changes nothing", (_, request) => {
    const before = readKeyFile(path);
    const options = { kind: "management", issuer } as const;
    const refused = ask({ path: "/token", authorization: key("API"), ...request }, options);
    expect(refused.status).toBe(400);
    expect(String(refused.body)).toContain("Token Authentication failed.");
    expect(readKeyFile(path)).toEqual(before);
  });

  test("a path that only contains /token is no request for a key", () => {
    const options = { kind: "management", issuer } as const;
    expect(ask({ path: "/models/token", authorization: key("API") }, options).status).toBe(400);
    expect(ask({ path: "/models/token", authorization: key("management") }, options).passed).toBe(true);
  });
});
