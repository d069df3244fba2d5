/**
 * Texts on which a tokenizer's regular expressions run wild, if they can. The library gives up a match after ten million
 * steps, and that ends the whole process; a pattern that gets there on one of these would get there on somebody's text.
 * Found so are patterns that take exponentially or quadratically many steps on runs of one character. Pure.
 */

/** Characters of the patterns that are tried beside those below. */
export const maxLiterals = 32;
/** Of one run: enough for a pattern that takes the square of it to be found. */
export const runLength = 8192;

/** One or two of each class that patterns ask for. */
const usual = ["a", "A", "1", " ", "\n", "_", ".", "-", "é", "日", "\u0301", "'"];
/** Ends a run with what few patterns take, so that a match has to be tried in every other way. */
const misfit = "\u0001";

/** `json`: the tokenizer file, parsed. Nothing where it has no regular expressions. */
export function stressTexts(json: unknown): readonly string[] {
  const patterns = patternsIn(json);
  if (patterns.length === 0) return [];
  const literals = [...new Set(patterns.flatMap((each) => Array.from(each)))].filter(
    (each) => !/[\\^$.|?*+()[\]{}]/u.test(each),
  );
  const characters = new Set([...usual, ...literals.slice(0, maxLiterals)]);
  return [...characters].map((each) => each.repeat(runLength) + misfit);
}

/** Every {"Regex": "…"} at any place: pre-tokenizers, normalizers and decoders have them. */
function patternsIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    if (key === "Regex" && typeof each === "string") return [each];
    // Not into the vocabulary, which is large and has none.
    return key === "vocab" || key === "merges" ? [] : patternsIn(each);
  });
}
