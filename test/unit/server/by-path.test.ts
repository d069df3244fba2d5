import { expect, test } from "vitest";
import { ByPath, isV2, type Rest } from "../../../src/server/by-path.js";
import type { Exchange } from "../../../src/wire.js";

test("only /v2 and what is under it", () => {
  for (const path of ["/v2", "/v2/", "/v2/models/m/infer"]) expect(isV2(path)).toBe(true);
  for (const path of ["/", "", "/v", "/v1/models/m", "/v22", "/predictions/v2", "/V2"]) expect(isV2(path)).toBe(false);
});

function recorder(): { readonly seen: string[]; readonly dialect: (name: string) => Rest } {
  const seen: string[] = [];
  const dialect = (name: string): Rest => ({
    head: () => void seen.push(`${name} head`),
    body: () => void seen.push(`${name} body`),
    aborted: () => void seen.push(`${name} aborted`),
    expired: () => void seen.push(`${name} expired`),
    error: (code) => ({ status: 400, body: `${name} ${code}` }),
    serves: (path) => path === "/v2/models/python/infer",
  });
  return { seen, dialect };
}

test("every step of an exchange goes to the dialect of its path", () => {
  const { seen, dialect } = recorder();
  const both = new ByPath(dialect("rest"), dialect("v2"));
  const [plain, v2] = [{ path: "/ping", cookie: 1 } as Exchange, { path: "/v2/health/live", cookie: 2 } as Exchange];
  both.head(v2);
  both.body(plain, undefined);
  both.aborted(v2);
  both.expired(plain);
  expect(seen).toEqual(["v2 head", "rest body", "v2 aborted", "rest expired"]);
  expect(both.error("internal", "", "/v2").body).toBe("v2 internal");
  expect(both.error("internal", "", "/v1").body).toBe("rest internal");
});

test("a model that answers by itself is asked under /v2, too, and the next exchange of the slot is told apart anew", () => {
  const { seen, dialect } = recorder();
  const both = new ByPath(dialect("rest"), dialect("v2"));
  const python = { path: "/v2/models/python/infer", cookie: 1 } as Exchange;
  both.head(python);
  both.body(python, undefined);
  const native = { path: "/v2/models/native/infer", cookie: 1 } as Exchange;
  both.head(native);
  both.body(native, undefined);
  expect(seen).toEqual(["rest head", "rest body", "v2 head", "v2 body"]);
});
