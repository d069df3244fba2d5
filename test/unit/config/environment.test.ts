import { expect, test } from "vitest";
import { readEnvironment, strangeNames } from "../../../src/config/environment.js";
import { optionRows } from "../../../src/config/options.js";

const noFile = (path: string): string => {
  throw new Error(`no ${path}`);
};

test("variables become settings; empty ones are unset; wrong ones are refused by name", () => {
  const rows = [optionRows.port];
  expect([...readEnvironment({ SCONCE_PORT: "9" }, rows, noFile)]).toEqual([
    [optionRows.port, { value: 9, origin: "SCONCE_PORT" }],
  ]);
  expect(readEnvironment({ SCONCE_PORT: "" }, rows, noFile).size).toBe(0);
  expect(() => readEnvironment({ SCONCE_PORT: "x" }, rows, noFile)).toThrow('SCONCE_PORT: "x" is not allowed');
});

test("a variable that looks like an option and is none is said", () => {
  expect(strangeNames({ SCONCE_PROT: "1", SCONCE_CACHE_DIR: "/x" }, [optionRows.port])).toEqual([
    "the environment variable SCONCE_PROT is no option of sconce (did you mean SCONCE_PORT?)",
  ]);
});

test("a secret may stand in a file instead of its variable, never in both, and is not shown", () => {
  const rows = [optionRows.keystorePass, optionRows.keystore];
  const read = (env: Record<string, string>) =>
    readEnvironment(env, rows, (path) => (path === "/s" ? "in file\n" : noFile(path)));
  const file = { SCONCE_KEYSTORE_PASS_FILE: "/s" };
  expect(read(file).get(optionRows.keystorePass)).toEqual({ value: "in file", origin: "SCONCE_KEYSTORE_PASS_FILE" });
  const both = "SCONCE_KEYSTORE_PASS and SCONCE_KEYSTORE_PASS_FILE are both set";
  expect(() => read({ ...file, SCONCE_KEYSTORE_PASS: "here" })).toThrow(both);
  expect(read({ ...file, SCONCE_KEYSTORE_PASS: "" }).get(optionRows.keystorePass)?.value).toBe("in file");
  expect(read({ SCONCE_KEYSTORE_PASS: "x", SCONCE_KEYSTORE_PASS_FILE: "" }).get(optionRows.keystorePass)?.value).toBe(
    "x",
  );
  expect(() => read({ SCONCE_KEYSTORE_PASS_FILE: "/t" })).toThrow("SCONCE_KEYSTORE_PASS_FILE=/t: no /t");
  expect(() => read({ SCONCE_KEYSTORE_PASS: "a\0b" })).toThrow(/^(?!.*a\0b)/s);
  expect(strangeNames(file, rows)).toEqual([]);
  expect(strangeNames({ SCONCE_KEYSTORE_FILE: "/s" }, rows)).toHaveLength(1);
});

test("PORT is the inference port where SCONCE_PORT is unset: what platforms that run containers set", () => {
  const port = (env: Record<string, string>) => readEnvironment(env, [optionRows.port], noFile).get(optionRows.port);
  expect(port({ PORT: "9" })).toEqual({ value: 9, origin: "PORT" });
  expect(port({ PORT: "9", SCONCE_PORT: "10" })).toEqual({ value: 10, origin: "SCONCE_PORT" });
  expect(port({ PORT: "9", SCONCE_PORT: "" })?.value).toBe(9);
  expect(() => port({ PORT: "http" })).toThrow('PORT: "http" is not allowed');
});

test("what Kubernetes sets for a Service called sconce is no setting and no typo", () => {
  const env = {
    SCONCE_PORT: "tcp://10.0.0.7:8080",
    SCONCE_SERVICE_HOST: "10.0.0.7",
    SCONCE_SERVICE_PORT: "8080",
    SCONCE_SERVICE_PORT_HTTP: "8080",
    SCONCE_PORT_8080_TCP: "tcp://10.0.0.7:8080",
    SCONCE_PORT_8080_TCP_ADDR: "10.0.0.7",
  };
  expect(readEnvironment(env, [optionRows.port], noFile).size).toBe(0);
  expect(readEnvironment({ ...env, PORT: "9" }, [optionRows.port], noFile).get(optionRows.port)?.value).toBe(9);
  expect(strangeNames(env, [optionRows.port])).toEqual([]);
  expect(() => readEnvironment({ SCONCE_HTTP_THREADS: "tcp://x:1" }, [optionRows.httpThreads], noFile)).toThrow();
});
