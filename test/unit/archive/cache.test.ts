import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { cacheCandidates, cachedFolder, Claims, openCache, sha256File } from "../../../src/archive/cache.js";

const root = mkdtempSync(join(tmpdir(), "sconce-cache-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const uid = process.getuid?.() ?? 0;

test("sha256File", async () => {
  writeFileSync(join(root, "abc"), "abc");
  expect(await sha256File(join(root, "abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test.each([
  [{ SCONCE_CACHE_DIR: "/c", HOME: "/h" }, ["/c"]],
  [{ XDG_CACHE_HOME: "/x", HOME: "/h" }, ["/x/sconce", "/h/.cache/sconce", join(tmpdir(), "sconce-7")]],
  [{ XDG_CACHE_HOME: "relative" }, [join(tmpdir(), "sconce-7")]],
])("candidates of %j", (env, folders) => expect(cacheCandidates(env, 7)).toEqual(folders));

describe("openCache", () => {
  test("takes the first that can be written", async () => {
    const good = join(root, "a", "b");
    expect(await openCache([join(root, "abc", "x"), good], uid)).toBe(good);
  });

  test("takes none that is a link or somebody else's", async () => {
    symlinkSync(root, join(root, "link"));
    mkdirSync(join(root, "own"));
    await expect(openCache([join(root, "link")], uid)).rejects.toThrow(
      /belongs to another user or is a link.*SCONCE_CACHE_DIR/,
    );
    await expect(openCache([join(root, "own")], uid + 1)).rejects.toThrow(/belongs to another user/);
  });
});

describe("cachedFolder", () => {
  test("fills once; a failed filling leaves nothing", async () => {
    const cache = join(root, "models-cache");
    let fills = 0;
    const fill = async (folder: string) => {
      fills++;
      await writeFile(join(folder, "x"), "x");
    };
    const failing = async (folder: string) => {
      await fill(folder);
      throw new Error("disk");
    };
    await expect(cachedFolder(cache, "h", failing)).rejects.toThrow("disk");
    expect(readdirSync(join(cache, "models"))).toEqual([]);
    expect(readdirSync(join(cache, "incoming"))).toEqual([]);
    const { folder } = await cachedFolder(cache, "h", fill);
    expect((await cachedFolder(cache, "h", fill)).folder).toBe(folder);
    expect(readdirSync(folder)).toEqual(["x"]);
    expect(fills).toBe(2);
  });

  describe("what was refused goes", () => {
    const cache = join(root, "claims");
    const fill = (folder: string) => writeFile(join(folder, "x"), "x");
    const claim = () => cachedFolder(cache, "h", fill);
    const there = () => readdirSync(join(cache, "models")).length === 1;
    afterEach(() => {
      expect(readdirSync(join(cache, "incoming"))).toEqual([]);
      rmSync(cache, { recursive: true });
    });

    test("when nobody else has it", async () => {
      await (await claim()).drop("no");
      expect(there()).toBe(false);
      (await claim()).keep();
      expect(there()).toBe(true);
    });

    test("but not what was there before, or was accepted in between", async () => {
      (await claim()).keep();
      await (await claim()).drop("no");
      expect(there()).toBe(true);
      rmSync(cache, { recursive: true });
      const [first, second] = [await claim(), await claim()];
      first.keep();
      await second.drop("no");
      expect(there()).toBe(true);
    });

    test("only once the last of several has refused it", async () => {
      const [first, second] = [await claim(), await claim()];
      await first.drop("no");
      expect(there()).toBe(true);
      await second.drop("no");
      expect(there()).toBe(false);
    });

    test("but not what another process took up", async () => {
      const mine = await claim();
      utimesSync(mine.folder, new Date(), new Date(Date.now() + 5000));
      await mine.drop("no");
      expect(there()).toBe(true);
    });
  });

  test("what comes to claims that were dropped already goes at once", async () => {
    const gone: unknown[] = [];
    const claim = { keep: () => undefined, drop: (why: unknown) => Promise.resolve(void gone.push(why)) };
    const claims = new Claims();
    await claims.drop("too late");
    claims.add(claim);
    expect(gone).toEqual(["too late"]);
    claims.keep();
    expect(gone).toHaveLength(1);
  });

  test("two at once end with one whole folder", async () => {
    const cache = join(root, "race");
    const fill = async (folder: string) => {
      await writeFile(join(folder, "x"), "x");
    };
    const folders = await Promise.all([1, 2, 3, 4].map(() => cachedFolder(cache, "h", fill)));
    expect(new Set(folders.map(({ folder }) => folder)).size).toBe(1);
    expect(readdirSync(join(cache, "incoming"))).toEqual([]);
  });
});
