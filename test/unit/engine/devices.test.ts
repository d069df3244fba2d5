import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findDeviceLibrary } from "../../../src/engine/devices.js";
import { buildCuda } from "../../../src/config/build-commands.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sconce-"));
  for (const each of ["release", "cuda/lib", "cpu/lib"]) mkdirSync(join(folder, each), { recursive: true });
  write("cuda/lib/libtorch_cuda.so", "");
  write("release/sconce.node", "");
  write("release/sconce-build.json", build("2.14.1", "cuda"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string): void => writeFileSync(join(folder, name), content);
const build = (version: string, libtorch: string): string =>
  JSON.stringify({ version, libtorch: join(folder, libtorch), nodeApi: 8, compiler: "", buildType: "" });
const cuda = (version: string, libtorch: string): void => {
  write("release/libsconce_cuda.so", "");
  const record = { version, libtorch: join(folder, libtorch), needs: "lib/libtorch_cuda.so" };
  write("release/sconce-cuda.json", JSON.stringify(record));
};
const find = (): ReturnType<typeof findDeviceLibrary> => findDeviceLibrary(join(folder, "release", "sconce.node"));

test("beside the addon, of the same libtorch", () => {
  cuda("2.14.1", "cuda");
  expect(find()).toEqual({ library: join(folder, "release", "libsconce_cuda.so"), problem: "", built: true });
});

test("not built is no surprise", () => {
  expect(find()).toMatchObject({
    library: "",
    problem: expect.stringContaining("is not built") as unknown,
    built: false,
  });
});

test.each<[string, () => void, string]>([
  ["another version", () => cuda("2.13.0", "cuda"), "was built against libtorch 2.13.0 and the engine against 2.14.1"],
  [
    "a libtorch for the CPU",
    () => {
      write("release/sconce-build.json", build("2.14.1", "cpu"));
      cuda("2.14.1", "cuda");
    },
    "is a build for the CPU (it has no lib/libtorch_cuda.so)",
  ],
  [
    "another folder",
    () => {
      mkdirSync(join(folder, "other/lib"), { recursive: true });
      cuda("2.14.1", "other");
    },
    `was built against the libtorch in`,
  ],
  [
    "a record that cannot be read",
    () => {
      cuda("2.14.1", "cuda");
      write("release/sconce-cuda.json", "{");
    },
    `cannot be read: run ${buildCuda}`,
  ],
])("%s: no library, and the reason in one line", (_, arrange, words) => {
  arrange();
  const found = find();
  expect(found).toMatchObject({ library: "", built: true });
  expect(found.problem).toContain(words);
  expect(found.problem).not.toContain("\n");
});
