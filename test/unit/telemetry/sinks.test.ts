import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSinks } from "../../../src/telemetry/sinks.js";

const sizes = { maxBytes: 1 << 20, maxFiles: 1 };

test("without a folder everything goes to standard error", async () => {
  const said: string[] = [];
  const sinks = openSinks({ ...sizes, folder: undefined, standardError: (text) => void said.push(text) });
  sinks.log("a\n");
  sinks.access("b\n");
  sinks.metrics("c\n");
  await sinks.close();
  expect(said).toEqual(["a\n", "b\n", "c\n"]);
});

test("with a folder each has TorchServe's file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-sinks-"));
  const said: string[] = [];
  const sinks = openSinks({ ...sizes, folder: join(folder, "logs"), standardError: (text) => void said.push(text) });
  sinks.log("a\n");
  sinks.access("b\n");
  sinks.metrics("c\n");
  await sinks.close();
  sinks.closeNow();
  const read = (name: string): string => readFileSync(join(folder, "logs", name), "utf8");
  expect(["ts_log.log", "access_log.log", "ts_metrics.log"].map(read)).toEqual(["a\n", "b\n", "c\n"]);
  expect(said).toEqual([]);
  rmSync(folder, { recursive: true });
});
