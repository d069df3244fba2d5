/** Ids of 2,000 sentences against Python's tokenizers, by digests; see test/models/text_goldens.py. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../src/tokenizer/library.js";

const folder = join(import.meta.dirname, "../../fixtures/text");
const groups = JSON.parse(gunzipSync(readFileSync(join(folder, "sentences.json.gz"))).toString()) as Record<
  string,
  readonly string[]
>;
interface Golden {
  readonly digests: Readonly<Record<string, string>>;
  readonly sample: readonly { readonly text: string; readonly ids: readonly number[] }[];
}
const goldens = JSON.parse(readFileSync(join(folder, "ids.json"), "utf8")) as Record<string, Golden>;

test("there are 2,000 sentences and three kinds of tokenizers", () => {
  expect(Object.values(groups).flat()).toHaveLength(2000);
  expect(Object.keys(goldens)).toEqual(["wordpiece", "bytelevel", "unigram"]);
});

describe.each(Object.entries(goldens))("%s", (name, { digests, sample }) => {
  test("ids are those of Python", async () => {
    const tokenizer = await Tokenizer.open(join(folder, `${name}.json`), undefined);
    for (const { text, ids } of sample) expect((await tokenizer.encode(text, false)).ids).toEqual(ids);
    const found: Record<string, string> = {};
    for (const [group, texts] of Object.entries(groups)) {
      const rows: string[] = [];
      for (const text of texts) rows.push((await tokenizer.encode(text, false)).ids.join(","));
      found[group] = createHash("sha256").update(rows.join("\n")).digest("hex");
    }
    expect(found).toEqual(digests);
  });
});

describe("pieces and cutting", () => {
  test("offsets count code points, tokens that were added are marked", async () => {
    const tokenizer = await Tokenizer.open(join(folder, "wordpiece.json"), undefined);
    const { pieces, ids, typeIds } = await tokenizer.encode("😀 time, 😀 way", true);
    expect(pieces.map(({ special }) => special).filter(Boolean)).toHaveLength(2);
    expect(pieces.find(({ token }) => token === "time")).toMatchObject({ start: 2, end: 6, special: false });
    expect(pieces.find(({ token }) => token === "way")).toMatchObject({ start: 10, end: 13 });
    expect(ids).toHaveLength(pieces.length);
    expect(new Set(typeIds)).toEqual(new Set([0]));
  });

  test("a text is cut at either end and keeps the tokens around it", async () => {
    const text = "time person year way day thing";
    const file = join(folder, "wordpiece.json");
    const [whole, right, left] = await Promise.all(
      [undefined, { maxLength: 4, at: "right" } as const, { maxLength: 4, at: "left" } as const].map(
        async (cut) => (await (await Tokenizer.open(file, cut)).encode(text, false)).ids,
      ),
    );
    expect(whole!.length).toBeGreaterThan(6);
    expect(right).toEqual([...whole!.slice(0, 3), ...whole!.slice(-1)]);
    expect(left).toEqual([...whole!.slice(0, 1), ...whole!.slice(-3)]);
  });
});
