import { expect, test } from "vitest";
import { readEnvironment, strangeNames } from "../../../src/config/environment.js";
import { optionRows } from "../../../src/config/options.js";

test("variables become settings; empty ones are unset; wrong ones are refused by name", () => {
  const rows = [optionRows.port];
  expect([...readEnvironment({ SCONCE_PORT: "9" }, rows)]).toEqual([
    [optionRows.port, { value: 9, origin: "SCONCE_PORT" }],
  ]);
  expect(readEnvironment({ SCONCE_PORT: "" }, rows).size).toBe(0);
  expect(() => readEnvironment({ SCONCE_PORT: "x" }, rows)).toThrow('SCONCE_PORT: "x" is not allowed');
});

test("a variable that looks like an option and is none is said", () => {
  expect(strangeNames({ SCONCE_PROT: "1", SCONCE_CACHE_DIR: "/x" }, [optionRows.port])).toEqual([
    "the environment variable SCONCE_PROT is no option of sconce (did you mean SCONCE_PORT?)",
  ]);
});
