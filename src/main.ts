#!/usr/bin/env node
/** The command `sconce`. Ends by itself when nothing is open any more, with the command's exit code. */
import { run } from "./cli/run.js";
import { realTerminal } from "./cli/terminal.js";

process.exitCode = await run(process.argv.slice(2), realTerminal());
