import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFile, maxPendingBytes } from "../../../src/telemetry/log-file.js";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "sconce-log-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const troubles: string[] = [];
const open = (maxBytes = 1 << 20, maxFiles = 2, path = join(folder, "a.log")): LogFile =>
  new LogFile({ path, maxBytes, maxFiles, onTrouble: (message) => void troubles.push(message) });
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 120));

test("lines arrive in order, are appended to what was there, and the rest is written at the end", async () => {
  writeFileSync(join(folder, "a.log"), "before\n");
  const file = open();
  file.write("one\n");
  await settle();
  expect(read("a.log")).toBe("before\none\n");
  file.write("two\n");
  await file.close();
  file.write("three\n");
  expect(read("a.log")).toBe("before\none\ntwo\n");
});

test("a full file becomes the first old one; the oldest goes", async () => {
  const file = open(10, 2);
  for (const line of ["first", "second", "third", "fourth"]) {
    file.write(`${line}\n`);
    await settle();
  }
  await file.close();
  expect(readdirSync(folder).sort()).toEqual(["a.log", "a.log.1", "a.log.2"]);
  expect(["a.log", "a.log.1", "a.log.2"].map(read)).toEqual(["fourth\n", "third\n", "second\n"]);
});

test("without old files a full one starts anew", async () => {
  const file = open(10, 0);
  file.write("first line\n");
  await settle();
  file.write("second\n");
  await settle();
  await file.close();
  expect(readdirSync(folder)).toEqual(["a.log"]);
  expect(read("a.log")).toBe("second\n");
});

test("a file that was moved away is left alone once that is said, lines or not; nothing is lost", async () => {
  const file = open();
  file.write("one\n");
  await settle();
  renameSync(join(folder, "a.log"), join(folder, "moved.log"));
  file.write("two\n");
  await settle();
  file.reopen();
  await settle();
  expect([read("moved.log"), read("a.log")]).toEqual(["one\ntwo\n", ""]);
  file.write("three\n");
  file.reopen();
  await file.close();
  expect(read("a.log")).toBe("three\n");
});

test("a file that was emptied in place is not full", async () => {
  const file = open(8);
  file.write("one one\n");
  await settle();
  truncateSync(join(folder, "a.log"));
  file.write("two two\n");
  await settle();
  await file.close();
  expect(read("a.log")).toBe("two two\n");
  expect(existsSync(join(folder, "a.log.1"))).toBe(false);
});

test("more than may wait is dropped and counted", async () => {
  const file = open(1 << 30);
  file.write(`${"x".repeat(maxPendingBytes - 1)}\n`);
  file.write("lost\nlost too\n");
  await file.close();
  expect(read("a.log").endsWith("x\n2 lines were dropped: the disk was full, away or too slow\n")).toBe(true);
});

test("a vanished folder is made again; a folder that cannot be made is an error at once", async () => {
  const file = open(4, 1, join(folder, "sub", "a.log"));
  rmSync(join(folder, "sub"), { recursive: true });
  file.write("one one\n");
  await settle();
  file.write("two\n");
  await settle();
  await file.close();
  expect(existsSync(join(folder, "sub", "a.log"))).toBe(true);
  expect(troubles).toEqual([]);
  writeFileSync(join(folder, "file"), "");
  expect(() => open(1, 1, join(folder, "file", "a.log"))).toThrow(/ENOTDIR|EEXIST/);
});

test("a full disk costs lines, which are counted once it takes them again", async () => {
  const path = join(folder, "a.log");
  symlinkSync("/dev/full", path);
  const file = open();
  for (const lines of ["one\n", "two\nthree\n"]) {
    file.write(lines);
    await settle();
  }
  expect(troubles.splice(0)).toEqual([expect.stringMatching(/^cannot write .*a\.log: ENOSPC.*lost until it can$/)]);
  rmSync(path);
  file.write("four\n");
  await settle();
  await file.close();
  expect(read("a.log")).toBe("four\n3 lines were dropped: the disk was full, away or too slow\n");
  expect(troubles).toEqual([]);
});
