/** The help of `sconce handler`. */
import type { CommandHelp } from "./command-help.js";

export const handlerHelp: CommandHelp = {
  name: "handler",
  usage: "new FOLDER | types MODEL | test MODEL [--samples FOLDER]",
  summary: "Writes a handler in TypeScript from a template, prints a model's types, runs a handler against samples.",
  flags: [
    ["--javascript", "new: handler.mjs instead of handler.ts."],
    ["--alone", "new: a handler that answers by itself, without a model file."],
    ["--output FILE", "types: a file instead of standard output."],
    ["--samples FOLDER", "test: requests, and beside each NAME.expected.json. Default: samples in the model's folder."],
    ["--update", "test: writes the answers as what is expected."],
    ["--tolerance X", "test: how far numbers may be off, absolutely or by their size. Default: 0.0001."],
    ["--timeout TIME", "test: how long the server may take to load the model. Default: 120 s."],
  ],
  examples: ["sconce handler new fraud", "sconce handler types fraud > fraud/model.ts", "sconce handler test fraud"],
};
