import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { digestList, formatDigests, parseDigests, sha256Of, verifyDigests } from "../../../src/archive/digests.js";

const root = mkdtempSync(join(tmpdir(), "sconce-digests-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;

const one = { name: "a.pt", sha256: sha256Of(Buffer.from("one")) };
const two = { name: "d/b", sha256: sha256Of(Buffer.from("two")) };

function lay(
  list: string | undefined,
  files: Readonly<Record<string, string>> = { "a.pt": "one", "d/b": "two" },
): string {
  const folder = join(root, String(serial++));
  for (const each of ["MAR-INF", "d"]) mkdirSync(join(folder, each), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  if (list !== undefined) writeFileSync(join(folder, digestList), list);
  return folder;
}

describe("verifyDigests", () => {
  test("everything as it was packed", async () => {
    expect(await verifyDigests(lay(formatDigests([two, one])), "a.mar")).toBe(true);
  });

  test("no list is no fault", async () => {
    expect(await verifyDigests(lay(undefined), "a.mar")).toBe(false);
  });

  test.each<[string, string, Readonly<Record<string, string>>, RegExp]>([
    [
      "a changed file",
      formatDigests([one, two]),
      { "a.pt": "One", "d/b": "two" },
      /a\.mar: "a\.pt" is not what was packed/,
    ],
    ["a file too many", formatDigests([one, two]), { "a.pt": "one", "d/b": "two", x: "" }, /"x" is not in MAR-INF/],
    ["a missing file", formatDigests([one, two]), { "a.pt": "one" }, /"d\/b" is in MAR-INF.*not there/],
    [
      "a name that climbs",
      formatDigests([one, two, { ...one, name: "../a.pt" }]),
      { "a.pt": "one", "d/b": "two" },
      /not there/,
    ],
    ["a line that is none", "hello\n", {}, /a\.mar: MAR-INF\/SHA256SUMS: the line "hello"/],
  ])("%s is refused", async (_, list, files, words) => {
    await expect(verifyDigests(lay(list, files), "a.mar")).rejects.toMatchObject({
      code: "invalid_model",
      message: expect.stringMatching(words) as string,
    });
  });
});

test("the format is sha256sum's, sorted", () => {
  const text = formatDigests([two, one]);
  expect(text.split("\n")).toEqual([`${one.sha256}  a.pt`, `${two.sha256}  d/b`, ""]);
  expect([...parseDigests("f", text)]).toEqual([
    ["a.pt", one.sha256],
    ["d/b", two.sha256],
  ]);
  expect(() => parseDigests("f", text + text)).toThrow(/twice/);
});
