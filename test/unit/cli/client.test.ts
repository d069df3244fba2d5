import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { authorization, baseUrl, timeoutOf } from "../../../src/cli/client.js";
import { fakeTerminal } from "./fake-terminal.js";

const root = mkdtempSync(join(tmpdir(), "sconce-client-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const keyFile = join(root, "k.json");
writeFileSync(keyFile, '{"management":{"key":"m"},"inference":{"key":"i"},"API":{"key":"a"}}');

function options(flags: Record<string, string>, env: Record<string, string>, kind: "management" | "inference") {
  return { values: new Map(Object.entries(flags)), terminal: fakeTerminal({ env }).terminal, kind };
}

describe("where the server is", () => {
  test.each([
    [{}, {}, "http://127.0.0.1:8081"],
    [{}, { SCONCE_MANAGEMENT_HOST: "::1", SCONCE_MANAGEMENT_PORT: "9" }, "http://[::1]:9"],
    [{ url: "https://h/base/" }, { SCONCE_MANAGEMENT_PORT: "9" }, "https://h/base"],
  ])("%j %j", (flags, env, url) => expect(baseUrl(options(flags, env as never, "management"))).toBe(url));

  test.each([
    [{}, "http://127.0.0.1:8080"],
    [{ PORT: "9" }, "http://127.0.0.1:9"],
    [{ PORT: "9", SCONCE_PORT: "10" }, "http://127.0.0.1:10"],
    [{ SCONCE_PORT: "tcp://10.0.0.7:8080" }, "http://127.0.0.1:8080"],
  ])("for predictions: %j", (env, url) => expect(baseUrl(options({}, env as never, "inference"))).toBe(url));

  test.each(["nonsense", "ftp://x", "file:///etc/passwd"])("%s is no address", (url) => {
    expect(() => baseUrl(options({ url }, {}, "inference"))).toThrow(/--url: .* is no address/);
  });
});

describe("the key", () => {
  test("comes from the file that is named, by kind", () => {
    const named = { "key-file": keyFile };
    expect(authorization(options(named, {}, "management"), "http://h:1")).toEqual({ authorization: "Bearer m" });
    const variable = options({}, { SCONCE_KEY_FILE: keyFile }, "inference");
    expect(authorization(variable, "http://h:1")).toEqual({ authorization: "Bearer i" });
    expect(() => authorization(options({ "key-file": join(root, "none") }, {}, "inference"), "http://h:1")).toThrow(
      /holds no inference key/,
    );
  });

  test("may stand in the file of SCONCE_TOKEN_FILE, but not beside SCONCE_TOKEN", () => {
    const path = join(root, "token");
    writeFileSync(path, "t0ken\n");
    const sent = (env: Record<string, string>) => authorization(options({}, env, "management"), "http://h:1");
    expect(sent({ SCONCE_TOKEN_FILE: path, SCONCE_TOKEN: "" })).toEqual({ authorization: "Bearer t0ken" });
    expect(() => sent({ SCONCE_TOKEN_FILE: path, SCONCE_TOKEN: "x" })).toThrow(
      "SCONCE_TOKEN and SCONCE_TOKEN_FILE are",
    );
  });

  test("of the working directory goes to this machine only", () => {
    const before = process.cwd();
    process.chdir(root);
    try {
      writeFileSync("key_file.json", '{"inference":{"key":"here"}}');
      const none = options({}, {}, "inference");
      expect(authorization(none, "http://127.0.0.1:8080")).toEqual({ authorization: "Bearer here" });
      expect(authorization(none, "http://example.test")).toEqual({});
    } finally {
      process.chdir(before);
    }
  });

  test("with a line break is refused before it is sent", () => {
    expect(() => authorization(options({ token: "a\r\nb: c" }, {}, "inference"), "http://h")).toThrow(/no header/);
  });
});

test("a timeout is a time above 0", () => {
  expect(timeoutOf(new Map())).toBe(120_000);
  expect(timeoutOf(new Map([["timeout", "500ms"]]))).toBe(500);
  for (const text of ["0", "soon"]) expect(() => timeoutOf(new Map([["timeout", text]]))).toThrow("--timeout");
});
