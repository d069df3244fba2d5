import { expect, test } from "vitest";
import { ByPath, isV2 } from "../../../src/server/by-path.js";
import type { Dialect, Exchange } from "../../../src/wire.js";

test("only /v2 and what is under it", () => {
  for (const path of ["/v2", "/v2/", "/v2/models/m/infer"]) expect(isV2(path)).toBe(true);
  for (const path of ["/", "", "/v", "/v1/models/m", "/v22", "/predictions/v2", "/V2"]) expect(isV2(path)).toBe(false);
});

test("every step of an exchange goes to the dialect of its path", () => {
  const seen: string[] = [];
  const dialect = (name: string): Dialect => ({
    head: () => void seen.push(`${name} head`),
    body: () => void seen.push(`${name} body`),
    aborted: () => void seen.push(`${name} aborted`),
    expired: () => void seen.push(`${name} expired`),
    error: (code) => ({ status: 400, body: `${name} ${code}` }),
  });
  const both = new ByPath(dialect("rest"), dialect("v2"));
  const [plain, v2] = [{ path: "/ping" } as Exchange, { path: "/v2/health/live" } as Exchange];
  both.head(v2);
  both.body(plain, undefined);
  both.aborted(v2);
  both.expired(plain);
  expect(seen).toEqual(["v2 head", "rest body", "v2 aborted", "rest expired"]);
  expect(both.error("internal", "", "/v2").body).toBe("v2 internal");
  expect(both.error("internal", "", "/v1").body).toBe("rest internal");
});
