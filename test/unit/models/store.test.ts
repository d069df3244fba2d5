import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore, withinStore } from "../../../src/models/store.js";

const closed = { allowedUrls: [], multiModel: false, multiModelRoot: "/opt/ml/models" };

const { within } = withinStore({ storeTimeoutMs: 1000 });

const base = mkdtempSync(join(tmpdir(), "sconce-store-"));
const store = join(base, "store");

beforeAll(() => {
  mkdirSync(join(store, "folder"), { recursive: true });
  mkdirSync(join(base, "store-evil"));
  writeFileSync(join(store, "m.mar"), "");
  writeFileSync(join(base, "secret.mar"), "");
  writeFileSync(join(base, "store-evil", "x.mar"), "");
  symlinkSync(join(base, "secret.mar"), join(store, "link.mar"));
  symlinkSync(join(base, "secret.mar"), join(store, "secrets"));
  symlinkSync("/dev/null", join(store, "pipe.mar"));
  symlinkSync("loop.mar", join(store, "loop.mar"));
  symlinkSync("m.mar", join(store, "inside.mar"));
  symlinkSync(join(base, "store-evil"), join(store, "evil"));
});
afterAll(() => rmSync(base, { recursive: true }));

const locate = (url: string) =>
  createStore({ ...closed, modelStore: store, allowedUrls: ["https://models.example.com/"] }, within).locate(url);

test("files, folders and links that stay inside are found", async () => {
  expect(await locate("m.mar")).toBe(join(store, "m.mar"));
  expect(await locate("folder")).toBe(join(store, "folder"));
  expect(await locate("inside.mar")).toBe(join(store, "m.mar"));
});

test("the whole path of what lies in the store names it, too", async () => {
  expect(await locate(join(store, "folder"))).toBe(join(store, "folder"));
  expect(await locate(join(store, "m.mar"))).toBe(join(store, "m.mar"));
  expect(await locate(join(store, "link.mar"))).toBe(join(store, "link.mar"));
  const alias = join(base, "alias");
  symlinkSync(store, alias);
  const linked = createStore({ ...closed, modelStore: alias }, within);
  expect(await linked.locate(join(alias, "folder"))).toBe(join(store, "folder"));
  expect(await linked.locate(join(store, "folder"))).toBe(join(store, "folder"));
});

test.each(["store-evil/x.mar", "secret.mar", "store", "store/evil/x.mar", "store/secrets"])(
  "the whole path of %s opens nothing",
  async (name) => {
    await expect(locate(join(base, name))).rejects.toMatchObject({ code: "model_not_found" });
  },
);

test("an archive that was linked into the store is one of its files", async () => {
  expect(await locate("link.mar")).toBe(join(store, "link.mar"));
});

test("a URL that is allowed is handed on as it is", async () => {
  expect(await locate("https://models.example.com/m.mar#sha256=" + "a".repeat(64))).toContain(
    "https://models.example.com/",
  );
});

test.each([
  ["", "empty url"],
  ["../secret.mar", "Relative path is not allowed in url: ../secret.mar"],
  ["folder/../../secret.mar", "Relative path is not allowed"],
  ["..\\secret.mar", "Relative path is not allowed"],
  ["http://example.org/m.mar", "does not match any allowed URL(s)"],
  ["file:///etc/passwd", "does not match any allowed URL(s)"],
  ["S3://bucket/m.mar", "does not match any allowed URL(s)"],
  ["ftp://x/y.mar", "Model not found at: ftp://x/y.mar"],
  ["none.mar", "Model not found at: none.mar"],
  ["secrets", "Model not found at: secrets"],
  ["pipe.mar", "Model not found at: pipe.mar"],
  ["loop.mar", "Model not found at: loop.mar"],
  ["evil", "Model not found at: evil"],
  ["evil/x.mar", "Model not found at: evil/x.mar"],
  ["m.mar\0", "Model not found at: "],
  [".", "Model not found at: ."],
  ["/etc/hostname", "Model not found at: /etc/hostname"],
])("%j is refused", async (url, words) => {
  await expect(locate(url)).rejects.toMatchObject({
    code: "model_not_found",
    message: expect.stringContaining(words) as string,
  });
});

test("without a store, or with one that is gone", async () => {
  const none = createStore({ ...closed, modelStore: undefined }, within);
  await expect(none.locate("m.mar")).rejects.toThrow("Model store has not been configured.");
  const gone = createStore({ ...closed, modelStore: join(base, "gone") }, within);
  await expect(gone.locate("m.mar")).rejects.toMatchObject({ code: "internal" });
});
