import { expect, test } from "vitest";
import { permissionFlags } from "../../../src/script/confined.js";

test("the permission model is asked for by the name that the running Node has for it", () => {
  const flags = (...allowed: string[]): string[] => permissionFlags(["/m/*", "/h.mjs"], new Set(allowed));
  const reads = ["--no-warnings", "--allow-fs-read=/m/*", "--allow-fs-read=/h.mjs"];
  expect(flags("--permission", "--experimental-permission")).toEqual(["--permission", ...reads]);
  expect(flags("--experimental-permission")).toEqual(["--experimental-permission", ...reads]);
  expect(flags()).toEqual([]);
});
