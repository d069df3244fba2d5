/**
 * A program of its own: loads the tokenizer file that it is given, tries it on some texts, and prints one line of JSON,
 * {"facts": …} or {"reason": …}; a second argument is what its padding token may be called. So a file that crashes or
 * blows up the library ends this program and not the server.
 */

import { readFileSync } from "node:fs";
import { factsOf } from "./facts.js";
import { Tokenizer } from "./library.js";
import { stressTexts } from "./stress.js";

const trials = [
  "a",
  "The quick brown fox jumps.",
  "Ünï¢ødé 日本語 한국어 العربية 😀👩‍👩‍👧",
  "x".repeat(1000),
  "\u0000\u200b\r\n\t",
];

async function run(file: string, padToken: string | undefined): Promise<unknown> {
  const json: unknown = JSON.parse(readFileSync(file, "utf8"));
  const tokenizer = await Tokenizer.open(file, undefined);
  for (const text of [...trials, ...stressTexts(json)]) await tokenizer.encode(text, true);
  const empty = await tokenizer.encode("", false);
  return factsOf(json, tokenizer.vocabulary(), empty.ids.length, padToken);
}

const said = await run(process.argv[2] ?? "", process.argv[3]).then(
  (facts) => ({ facts }),
  (error: unknown) => ({ reason: error instanceof Error ? error.message : String(error) }),
);
console.log(JSON.stringify(said));
