import { describe, expect, test } from "vitest";
import { parseFlags, type FlagShape } from "../../../src/config/flags.js";

const shapes: FlagShape[] = [
  { flag: "port", takes: "value" },
  { flag: "models", takes: "list" },
  { flag: "strict", takes: "nothing" },
  { flag: "help", takes: "nothing", short: "h" },
];
const parse = (...words: string[]) => {
  const { values, positionals } = parseFlags(words, shapes);
  return { ...Object.fromEntries(values), positionals };
};

describe("parseFlags", () => {
  test.each([
    [["a.pt", "--port", "1", "b.pt"], { port: "1", positionals: ["a.pt", "b.pt"] }],
    [["--port=1"], { port: "1", positionals: [] }],
    [["--port="], { port: "", positionals: [] }],
    [["--port", "-1"], { port: "-1", positionals: [] }],
    [["--models", "a=a.mar", "b.mar", "--strict"], { models: "a=a.mar,b.mar", strict: "true", positionals: [] }],
    [["--no-strict"], { strict: "false", positionals: [] }],
    [["-h"], { help: "true", positionals: [] }],
    [["--", "--port", "-x"], { positionals: ["--port", "-x"] }],
    [["-"], { positionals: ["-"] }],
  ])("%j", (words, expected) => expect(parse(...words)).toEqual(expected));

  test.each([
    [["--prot", "1"], "unknown option --prot (did you mean --port?)"],
    [["--prot=1"], "unknown option --prot=1 (did you mean --port?)"],
    [["-x"], "unknown option -x"],
    [["--port"], "--port needs a value"],
    [["--port", "--strict"], "--port needs a value"],
    [["--port", "1", "--port", "2"], "--port is given twice"],
    [["--no-strict=1"], "--no-strict takes no value"],
    [["--no-port"], "unknown option --no-port"],
  ])("%j is refused", (words, message) => expect(() => parse(...words)).toThrow(message));
});
