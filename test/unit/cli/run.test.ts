import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

async function sconce(...words: string[]) {
  const { terminal, out, err } = fakeTerminal();
  const code = await run(words, terminal);
  return { code, out: out(), err: err() };
}

describe("run", () => {
  test.each([[[]], [["help"]], [["--help"]], [["-h"]]])("%j is the overview", async (words) => {
    const { code, out } = await sconce(...words);
    expect(code).toBe(0);
    expect(out).toMatch(/^sconce serves PyTorch models over HTTP\./);
    expect(out).toContain("3  a model named on the command line did not load");
  });

  test.each([
    ["help", "serve"],
    ["serve", "--help"],
    ["serve", "x.pt", "-h"],
  ])("%s %s is serve's help", async (...words) => {
    const { code, out } = await sconce(...words);
    expect(code).toBe(0);
    expect(out).toContain("--max-request-size BYTES");
  });

  test("a command behind --help is that command's", async () => {
    expect((await sconce("--help", "status")).out).toContain("Usage: sconce status");
  });

  test("version, in words and as data", async () => {
    expect((await sconce("version")).out).toMatch(/^sconce \d+\.\d+\.\d+ \(node /);
    expect(JSON.parse((await sconce("--version", "--json")).out)).toMatchObject({ node: process.version.slice(1) });
    expect(JSON.parse((await sconce("version", "--json")).out)).toHaveProperty("libtorch");
  });

  test.each<[string[], string]>([
    [["srve"], 'sconce: unknown command "srve" (did you mean serve?)\nSee: sconce help\n'],
    [
      ["digits.mar"],
      'sconce: unknown command "digits.mar"; to serve a model: sconce serve digits.mar\nSee: sconce help\n',
    ],
    [["--port"], 'sconce: unknown command "--port"\nSee: sconce help\n'],
    [["help", "docter"], 'sconce: unknown command "docter" (did you mean doctor?)\nSee: sconce help\n'],
    [["version", "--jsn"], "sconce: unknown option --jsn (did you mean --json?)\nSee: sconce help version\n"],
    [["doctor", "now"], 'sconce: unexpected "now"\nSee: sconce help doctor\n'],
    [["predict"], "sconce: predict takes a model's name and a file (- for standard input)\nSee: sconce help predict\n"],
    [["serve", "--prot", "1"], "sconce: unknown option --prot (did you mean --port?)\nSee: sconce help serve\n"],
    [
      ["serve", "--port", "70000"],
      'sconce: --port: "70000" is not allowed; expected a whole number from 0 to 65535\nSee: sconce help serve\n',
    ],
  ])("%j is a usage error", async (words, err) => {
    expect(await sconce(...words)).toEqual({ code: 2, out: "", err });
  });
});
