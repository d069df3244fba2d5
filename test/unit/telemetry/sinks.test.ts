import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { logFileNames, openSinks, SinkError, type SinkName, type SinkOptions } from "../../../src/telemetry/sinks.js";

const root = mkdtempSync(join(tmpdir(), "sconce-sinks-"));
const said: string[] = [];
const troubles: string[] = [];
const names = Object.keys(logFileNames) as SinkName[];
const nowhere: SinkOptions = {
  folder: undefined,
  metricsFolder: undefined,
  torchserve: false,
  maxBytes: 1 << 20,
  maxFiles: 1,
  console: (lines) => void said.push(lines),
  onTrouble: (message) => void troubles.push(message),
};
const ofMetrics: readonly SinkName[] = ["metrics", "modelMetrics"];

beforeEach(() => {
  said.splice(0);
  troubles.splice(0);
});
afterAll(() => rmSync(root, { recursive: true }));

/** A line for each, and what the files then hold. */
async function write(options: Partial<SinkOptions>, line: (name: SinkName) => string = (name) => `${name}\n`) {
  const sinks = openSinks({ ...nowhere, ...options });
  for (const name of names) sinks[name](line(name));
  await sinks.close();
  sinks.closeNow();
}
const read = (folder: string, name: SinkName): string => readFileSync(join(folder, logFileNames[name]), "utf8");

test("without a folder everything goes to the console", async () => {
  await write({});
  expect(said).toEqual(names.map((name) => `${name}\n`));
});

test("with a folder each has TorchServe's file", async () => {
  const path = join(root, "one", "logs");
  await write({ folder: { path, beside: false }, metricsFolder: { path, beside: false } });
  expect(names.map((name) => read(path, name))).toEqual(names.map((name) => `${name}\n`));
  expect(said).toEqual([]);
});

test("metrics may have a folder of their own", async () => {
  const path = join(root, "metrics");
  await write({ metricsFolder: { path, beside: false } });
  expect(ofMetrics.map((name) => read(path, name))).toEqual(["metrics\n", "modelMetrics\n"]);
  expect(said).toEqual(["log\n", "access\n", "model\n"]);
});

describe("files that nobody asked for", () => {
  test("are beside the console", async () => {
    const path = join(root, "beside");
    await write({ folder: { path, beside: true }, metricsFolder: { path: join(path, "m"), beside: true } });
    expect(said).toEqual(names.map((name) => `${name}\n`));
    expect(read(path, "model")).toBe("model\n");
    expect(read(join(path, "m"), "modelMetrics")).toBe("modelMetrics\n");
  });

  test("are only missed where their folder cannot be made", async () => {
    const path = join(root, "file");
    writeFileSync(path, "");
    await write({ folder: { path, beside: true }, metricsFolder: { path: join(root, "there"), beside: true } });
    expect(troubles).toHaveLength(3);
    expect(troubles[0]).toMatch(/^no log file: (EEXIST|ENOTDIR).* \(--log-folder and/);
    expect(said).toEqual(names.map((name) => `${name}\n`));
    expect(read(join(root, "there"), "metrics")).toBe("metrics\n");
  });
});

test("a folder that was asked for and cannot be written is refused, by which of the two it is", () => {
  const path = join(root, "taken");
  mkdirSync(path);
  const folder = { path, beside: false };
  mkdirSync(join(path, logFileNames.model));
  expect(() => openSinks({ ...nowhere, folder })).toThrow(SinkError);
  mkdirSync(join(path, logFileNames.modelMetrics));
  const tell = (options: Partial<SinkOptions>) => {
    try {
      openSinks({ ...nowhere, ...options });
    } catch (error) {
      return (error as SinkError).metrics;
    }
    return undefined;
  };
  expect([tell({ folder }), tell({ metricsFolder: folder })]).toEqual([false, true]);
});

test("in TorchServe's format a file of one logger has neither its name nor the level", async () => {
  const path = join(root, "short");
  const loggers: Readonly<Record<SinkName, string>> = {
    log: "main sconce",
    access: "http ACCESS_LOG",
    model: "W-1-m_1.0-stdout MODEL_LOG",
    metrics: "main TS_METRICS",
    modelMetrics: "W-1-m_1.0-stdout MODEL_METRICS",
  };
  const line = (name: SinkName): string => `2026-01-31T12:00:00,000 [INFO ] ${loggers[name]} - a [INFO ] b C - d\n`;
  const beside = true;
  const folders = { folder: { path, beside }, metricsFolder: { path, beside } };
  await write({ ...folders, torchserve: true }, (name) => line(name).repeat(2));
  const short = "2026-01-31T12:00:00,000 - a [INFO ] b C - d\n".repeat(2);
  for (const name of ["access", ...ofMetrics] as const) expect(read(path, name)).toBe(short);
  for (const name of ["log", "model"] as const) expect(read(path, name)).toBe(line(name).repeat(2));
  expect(said).toEqual(names.map((name) => line(name).repeat(2)));
});
