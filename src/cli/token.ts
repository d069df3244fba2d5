/** `sconce token NAME`: makes a key, shown once, and its entry for the tokens file, which holds only its hash. */
import { createHash, randomBytes } from "node:crypto";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { UsageError } from "../config/usage-error.js";
import { readTokens } from "../server/token-file.js";
import type { CommandHelp } from "./command-help.js";
import { exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

export const tokenHelp: CommandHelp = {
  name: "token",
  usage: "NAME [options]",
  summary: "Makes a key for a client, and the entry of --tokens-file that lets it in.",
  flags: [
    ["--role infer|viewer|admin", "What it may do. Default: infer."],
    ["--limit NAME", "A limit of the file, by its name. Default: none."],
    ["--expires DAY", "Until when it is good, such as 2027-01-31. Default: always."],
    ["--json", "Key and entry as one JSON object."],
  ],
  examples: ["sconce token shop --role infer --limit standard"],
};

const shapes: readonly FlagShape[] = [
  { flag: "role", takes: "value" },
  { flag: "limit", takes: "value" },
  { flag: "expires", takes: "value" },
  { flag: "json", takes: "nothing" },
];

/** 256 bits. */
const keyBytes = 32;

export function token(words: readonly string[], terminal: Terminal): number {
  const { values, positionals } = parseFlags(words, shapes);
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("expected NAME");
  const key = randomBytes(keyBytes).toString("base64url");
  const more = ["limit", "expires"].flatMap((field) => {
    const value = values.get(field);
    return value === undefined ? [] : [[field, value] as const];
  });
  const sha256 = createHash("sha256").update(key).digest("hex");
  const entry = { name, role: values.get("role") ?? "infer", sha256, ...Object.fromEntries(more) };
  const limit = values.get("limit");
  const limits = limit === undefined ? {} : { [limit]: { rate: 1 } };
  // Read as the server will read it: what is wrong is said now.
  readTokens("the entry", JSON.stringify({ limits, tokens: [entry] }));
  if (values.get("json") === "true") terminal.out(`${JSON.stringify({ key, entry })}\n`);
  else terminal.out(`key, shown this once: ${key}\nentry under tokens:\n  - ${JSON.stringify(entry)}\n`);
  return exitCodes.ok;
}
