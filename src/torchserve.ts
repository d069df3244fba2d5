#!/usr/bin/env node
/** The command `torchserve`. Ends by itself when nothing is open any more, with the command's exit code. */
import { realTerminal } from "./cli/terminal.js";
import { torchserve } from "./cli/torchserve.js";

process.exitCode = await torchserve(process.argv.slice(2), realTerminal());
