import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkLibtorch, libtorchVersion, readBuildRecord } from "../../../src/engine/libtorch.js";
import { ServerError } from "../../../src/errors.js";
import { buildEngine } from "../../../src/config/build-commands.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sconce-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

const record = (version: string): Parameters<typeof checkLibtorch>[0] => ({
  libtorch: folder,
  version,
  nodeApi: 8,
  compiler: "GNU 12.2.0",
  buildType: "Release",
});

describe("libtorchVersion", () => {
  const header = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 12\n#define TORCH_VERSION_PATCH 1\n";
  test.each([
    ["version.py", "from typing import Optional\n__version__ = '2.13.0+cpu'\n", "2.13.0"],
    ["version.py", '__version__ = "2.14.1"\n', "2.14.1"],
    ["build-version", "2.11.0+cu130\n", "2.11.0"],
    ["include/torch/headeronly/version.h", header, "2.12.1"],
    ["README", "2.13.0", undefined],
    ["build-version", "nightly", undefined],
  ])("%s %j is %s", (name, content, version) => {
    write(name, content);
    expect(libtorchVersion(folder)).toBe(version);
  });
});

describe("checkLibtorch", () => {
  test("the same version passes, whatever its local part", () => {
    write("lib/libtorch_cpu.so", "");
    write("version.py", "__version__ = '2.13.0+cu130'\n");
    expect(() => checkLibtorch(record("2.13.0"), folder)).not.toThrow();
    expect(() => checkLibtorch(record("2.13.0"), "")).not.toThrow();
    expect(() => checkLibtorch(record("2.13.0"), undefined)).not.toThrow();
  });

  test("another version is refused with both versions and the command", () => {
    write("lib/libtorch_cpu.so", "");
    write("version.py", "__version__ = '2.13.0'\n");
    expect(() => checkLibtorch(record("2.12.0"), undefined)).toThrow(
      `built against libtorch 2.12.0, but ${folder} is libtorch 2.13.0: run ${buildEngine}`,
    );
  });

  test("a libtorch that is gone is refused", () => {
    expect(() => checkLibtorch(record("2.12.0"), undefined)).toThrow(/is not there any more/u);
  });
});

describe("readBuildRecord", () => {
  test("no addon: says how to build it", () => {
    expect(() => readBuildRecord(join(folder, "sconce.node"))).toThrow(ServerError);
    expect(() => readBuildRecord(join(folder, "sconce.node"))).toThrow(buildEngine);
  });

  test("reads the record, and says so when it is damaged", () => {
    write("sconce.node", "");
    write("sconce-build.json", JSON.stringify(record("2.13.0")));
    expect(readBuildRecord(join(folder, "sconce.node"))).toEqual(record("2.13.0"));
    write("sconce-build.json", "{");
    expect(() => readBuildRecord(join(folder, "sconce.node"))).toThrow(/cannot be read/u);
  });
});
