import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StorePoll } from "../../../src/models/store-poll.js";
import { silentLog } from "../../../src/telemetry/log.js";

let store: string;
let done: string[];
let said: string[];
let poll: StorePoll;
let unreadable: boolean;
/** As from a store that does not answer. */
let silent: string;

beforeEach(async () => {
  store = mkdtempSync(join(tmpdir(), "sconce-poll-"));
  [done, said, unreadable, silent] = [[], [], false, ""];
  writeFileSync(join(store, "a.mar"), "a");
  const short = (path: string): string => path.slice(store.length + 1);
  const list = (): Promise<string[]> =>
    unreadable
      ? Promise.reject(new Error("no store"))
      : Promise.resolve(
          readdirSync(store)
            .filter((name) => !name.endsWith(".yaml"))
            .map((name) => join(store, name)),
        );
  const within = <T>(call: () => Promise<T>): Promise<T> =>
    silent === "" ? call() : Promise.reject(new Error(silent));
  const note = (message: string): void => void said.push(message);
  const follower = {
    follow: (path: string, gone: readonly string[]) => {
      done.push(["+", short(path), ...gone.map(short)].join(" "));
      return Promise.resolve();
    },
    retire: (path: string) => Promise.resolve(void done.push(`- ${short(path)}`)),
  };
  poll = new StorePoll({ follower, list, log: { ...silentLog, info: note, warn: note }, intervalMs: 1, within });
  await poll.begin();
});
afterEach(() => rmSync(store, { recursive: true, force: true }));

async function looks(count: number): Promise<string[]> {
  for (let i = 0; i < count; i++) await poll.look();
  return done.splice(0);
}

test("what was there at the start is left alone", async () => {
  expect(await looks(3)).toEqual([]);
});

test("a file that is still being copied is not taken until it rests", async () => {
  const path = join(store, "b.mar");
  for (let i = 0; i < 4; i++) {
    appendFileSync(path, "more");
    expect(await looks(1)).toEqual([]);
  }
  expect(await looks(1)).toEqual(["+ b.mar"]);
  expect(await looks(3)).toEqual([]);
});

test("a changed file, and one whose yaml changed, are taken once each", async () => {
  writeFileSync(join(store, "a.mar"), "another");
  expect(await looks(4)).toEqual(["+ a.mar"]);
  writeFileSync(join(store, "a.yaml"), "batchSize: 2");
  expect(await looks(4)).toEqual(["+ a.mar"]);
});

test("what changes inside a folder counts", async () => {
  mkdirSync(join(store, "f", "MAR-INF"), { recursive: true });
  writeFileSync(join(store, "f", "MAR-INF", "MANIFEST.json"), "{}");
  expect(await looks(2)).toEqual(["+ f"]);
  writeFileSync(join(store, "f", "MAR-INF", "MANIFEST.json"), "{ }");
  expect(await looks(2)).toEqual(["+ f"]);
});

test("a file that went is missed twice before it counts; renamed, the new name takes its place", async () => {
  writeFileSync(join(store, "b.mar"), "b");
  expect(await looks(2)).toEqual(["+ b.mar"]);
  rmSync(join(store, "b.mar"));
  expect(await looks(1)).toEqual([]);
  expect(await looks(1)).toEqual(["- b.mar"]);
  renameSync(join(store, "a.mar"), join(store, "c.mar"));
  expect(await looks(3)).toEqual(["+ c.mar a.mar", "- a.mar"]);
});

test("a store that cannot be read or is empty takes nothing away, and is said once", async () => {
  unreadable = true;
  expect(await looks(3)).toEqual([]);
  unreadable = false;
  rmSync(join(store, "a.mar"));
  expect(await looks(3)).toEqual([]);
  writeFileSync(join(store, "a.mar"), "a");
  await looks(1);
  expect(said).toEqual([
    "the model store is not followed; what serves goes on",
    "the model store is not followed; what serves goes on",
    "the model store can be read again",
  ]);
});

test("a store that does not answer takes nothing away, and what changed meanwhile is taken afterwards", async () => {
  writeFileSync(join(store, "b.mar"), "b");
  await looks(1);
  silent = "the model store did not answer";
  rmSync(join(store, "a.mar"));
  expect(await looks(4)).toEqual([]);
  silent = "";
  expect(await looks(2)).toEqual(["+ b.mar", "- a.mar"]);
  expect(said).toEqual(["the model store is not followed; what serves goes on", "the model store can be read again"]);
});

test("it looks by itself, and no more once it is stopped", async () => {
  writeFileSync(join(store, "b.mar"), "b");
  poll.start();
  while (done.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await poll.stop();
  writeFileSync(join(store, "b.mar"), "changed");
  expect(await looks(3)).toEqual(["+ b.mar"]);
});
