import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelSnapshot } from "../../../src/config/model-snapshot.js";
import { listSources, splitName } from "../../../src/models/sources.js";
import { withinStore } from "../../../src/models/store.js";

const { within } = withinStore({ storeTimeoutMs: 1000 });
const store = mkdtempSync(join(tmpdir(), "sconce-store-"));
afterAll(() => rmSync(store, { recursive: true, force: true }));
beforeAll(() => {
  for (const name of ["b.mar", "a.pt", "a.yaml", "notes.txt", ".hidden.mar"]) writeFileSync(join(store, name), "");
  mkdirSync(join(store, "folder"));
});

const list = (config: {
  positional?: string[];
  models?: string[];
  strict?: boolean;
  store?: string;
  kept?: ModelSnapshot;
  modelDir?: string;
  multiModel?: boolean;
}) =>
  listSources(
    {
      positional: config.positional ?? [],
      models: config.models ?? [],
      strict: config.strict ?? false,
      modelStore: config.store ?? store,
      modelSnapshot: config.kept,
      modelDir: config.modelDir ?? join(store, "none"),
      multiModel: config.multiModel ?? false,
    },
    within,
  );

describe("listSources", () => {
  test("positionals, with and without a name", async () => {
    expect(await list({ positional: ["x.pt", "n=y.pt"] })).toEqual([
      { path: "x.pt", required: true },
      { path: "y.pt", name: "n", required: true },
    ]);
  });

  test("what a hosting service laid down, when no other model is named", async () => {
    const modelDir = join(store, "laid");
    expect(await list({ modelDir })).toEqual([]);
    mkdirSync(modelDir);
    expect(await list({ modelDir })).toEqual([]);
    writeFileSync(join(modelDir, "one.mar"), "");
    expect(await list({ modelDir })).toEqual([{ path: modelDir, required: true }]);
    writeFileSync(join(modelDir, "two.tar.gz"), "");
    const each = ["one.mar", "two.tar.gz"].map((name) => ({ path: join(modelDir, name), required: true }));
    expect(await list({ modelDir })).toEqual(each);
    expect(await list({ modelDir, positional: ["x.pt"] })).toEqual([{ path: "x.pt", required: true }]);
    expect(await list({ modelDir, multiModel: true })).toEqual([]);
    rmSync(modelDir, { recursive: true });
  });

  test("a snapshot wins over --models, and over a positional that names the same file", async () => {
    const kept = { models: { n: { "1.0": { marName: "b.mar", minWorkers: 2 } } } };
    const found = await list({ models: ["all"], positional: [join(store, "b.mar"), "x.pt"], kept });
    expect(found).toEqual([
      { path: "x.pt", required: true },
      {
        path: join(store, "b.mar"),
        url: "b.mar",
        name: "n",
        required: true,
        said: { workers: 2 },
        workers: { min: 2, max: 2 },
      },
    ]);
  });

  test("all of a store: archives, artifacts and folders, by name", async () => {
    const files = ["a.pt", "b.mar", "folder"].map((url) => ({ path: join(store, url), url }));
    expect(await list({ models: ["all"] })).toEqual(files.map((each) => ({ ...each, required: false })));
    expect(await list({ models: ["ALL"], strict: true })).toEqual(files.map((each) => ({ ...each, required: true })));
  });

  test("named ones are required; .mar may be left out", async () => {
    expect(await list({ models: ["n=b.mar", "b"] })).toEqual([
      { path: join(store, "b.mar"), url: "b.mar", name: "n", required: true },
      { path: join(store, "b.mar"), url: "b.mar", required: true },
    ]);
  });

  test("a store alone loads nothing", async () => expect(await list({})).toEqual([]));

  test.each([
    [["c.mar"], /no such file in the model store \(did you mean b\.mar\?\)/],
    [["../x.mar"], /lies outside/],
    [["n=/etc/passwd"], /lies outside/],
  ])("%j is refused", async (models, words) => {
    await expect(list({ models })).rejects.toThrow(words);
  });

  test.each([[["all"]], [[]]])("a store that is not there, with --models %j", async (models) => {
    await expect(list({ models, store: "/nowhere" })).rejects.toThrow(/\/nowhere: the model store cannot be read/);
  });
});

test("a path that exists is a path, whatever is in it", () => {
  expect(splitName("a=b.pt", () => true)).toEqual({ path: "a=b.pt" });
  expect(splitName("a=b=c.pt", () => false)).toEqual({ name: "a", path: "b=c.pt" });
  expect(splitName("=b.pt", () => false)).toEqual({ path: "=b.pt" });
});
