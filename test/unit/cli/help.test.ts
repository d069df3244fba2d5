import { describe, expect, test } from "vitest";
import { commandHelp, commandTable, overview } from "../../../src/cli/help.js";
import { exitCodeHelp, exitCodes } from "../../../src/cli/exit-codes.js";
import { optionTable } from "../../../src/config/options.js";

const serve = commandTable.find((each) => each.name === "serve")!;

describe("help", () => {
  test("names every option of the table with its default", () => {
    const text = commandHelp(serve, { color: false, width: 100 });
    for (const row of optionTable) expect(text).toContain(`--${row.flag}`);
    expect(text.replace(/\s+/g, " ")).toContain("A body over this, raw or decoded, gets 413. Default: 64 MiB.");
    expect(text.replace(/\s+/g, " ")).toContain("Default: half of --cores.");
  });

  test.each([60, 80, 120])("fits %i columns", (width) => {
    for (const command of commandTable) {
      const long = commandHelp(command, { color: false, width })
        .split("\n")
        .filter((line) => line.startsWith("  ") && !line.includes("sconce ") && line.length > Math.max(width, 66));
      expect(long).toEqual([]);
    }
  });

  test("has escapes only when coloured", () => {
    expect(overview({ color: false, width: 80 })).not.toContain("\u001b");
    expect(overview({ color: true, width: 80 })).toContain("\u001b[1mCommands\u001b[0m");
  });

  test("the overview", () => {
    expect(overview({ color: false, width: 100 })).toMatchInlineSnapshot(`
      "sconce serves PyTorch models over HTTP.

      Usage: sconce COMMAND …

      Commands
        serve    Serves models. MODEL is a .pt, .pt2 or .mar file, or a folder.
        predict  Sends a file (or standard input) to a running server and prints the answer.
        archive  Packs, shows, checks and unpacks model archives.
        handler  Writes a handler in TypeScript from a template, prints a model's types, runs a handler against samples.
        publish  Checks an archive and puts it into a model store in one step; prints its digest.
        token    Makes a key for a client, and the entry of --tokens-file that lets it in.
        migrate  Says of a TorchServe deployment what works here, what needs Python, and what will not work.
        models   Lists and changes the models of a running server. NAME may be NAME/VERSION.
        config   Prints what a server would run with and where each value comes from; turns config.properties into YAML.
        doctor   Says what was found on this machine, what is wrong and how to put it right.
        status   Shows how a running server does: per version its state, rate, latency, queue, memory, and what is wrong.
        bundle   Writes status, descriptions, metrics, this machine's check and configuration to a file for a ticket.
        version  Prints the versions of sconce, Node.js and libtorch.
        help     Prints this, or a command's options.

      Exit codes
        0  done, or drained after a signal
        1  failed: a port taken, the engine not built, a request refused, requests cut by the drain
        2  wrong option, command or configuration file
        3  a model named on the command line did not load, or does not verify
        4  models: no server answers there
        5  models: the server has no such model or version

      sconce help COMMAND has a command's options.
      "
    `);
  });

  test("every exit code is explained", () => {
    expect(exitCodeHelp.map(([code]) => code)).toEqual(Object.values(exitCodes));
  });
});
