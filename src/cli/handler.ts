/**
 * `sconce handler new|types|test`: a handler in TypeScript from a template, a model's types, and a handler run
 * against sample requests on a real server of its own.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseFlags } from "../config/flags.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { look } from "./archive-look.js";
import { exitCodes } from "./exit-codes.js";
import { testHandler } from "./handler-test.js";
import { aloneTemplate, handlerTemplate, yamlTemplate } from "./handler-text.js";
import { signatureTypes } from "./handler-types.js";
import type { Terminal } from "./terminal.js";

type Command = (words: readonly string[], terminal: Terminal) => Promise<number>;

export async function handler(words: readonly string[], terminal: Terminal): Promise<number> {
  const commands: Readonly<Record<string, Command>> = { new: create, types, test: testHandler };
  const names = Object.keys(commands);
  const [name, ...rest] = words;
  if (name === undefined) throw new UsageError(`handler needs a command: ${names.join(", ")}`);
  const command = names.includes(name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`unknown command ${JSON.stringify(`handler ${name}`)}${didYouMean(name, names)}`);
  return command(rest, terminal);
}

function only(positionals: readonly string[], what: string): string {
  const [path, more] = positionals;
  if (path === undefined) throw new UsageError(`expected ${what}`);
  if (more !== undefined) throw new UsageError(`unexpected ${JSON.stringify(more)}`);
  return path;
}

async function create(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, [
    { flag: "javascript", takes: "nothing" },
    { flag: "alone", takes: "nothing" },
  ]);
  const folder = only(positionals, "FOLDER");
  const javascript = values.get("javascript") === "true";
  const alone = values.get("alone") === "true";
  const file = javascript ? "handler.mjs" : "handler.ts";
  const exists = (name: string): Promise<boolean> =>
    stat(join(folder, name)).then(
      () => true,
      () => false,
    );
  if (await exists(file)) throw new UsageError(`${join(folder, file)} is there already`);
  await mkdir(join(folder, "samples"), { recursive: true });
  await writeFile(join(folder, file), alone ? aloneTemplate(javascript) : handlerTemplate(javascript));
  const made = [file];
  if (await exists("model-config.yaml")) terminal.err(`model-config.yaml is yours: add "handler: ${file}" to it\n`);
  else {
    await writeFile(join(folder, "model-config.yaml"), yamlTemplate(file));
    made.push("model-config.yaml");
  }
  for (const name of made) terminal.out(`${join(folder, name)}\n`);
  const wanted = alone ? "some samples/*.json" : "model.pt and some samples/*.json";
  terminal.err(`Next: put ${wanted} there, then: sconce handler test ${folder}\n`);
  return exitCodes.ok;
}

async function types(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, [{ flag: "output", takes: "value" }]);
  const path = only(positionals, "MODEL");
  const { spec, refused, methods } = await look(path, new Map(), terminal);
  if (spec === undefined) throw new UsageError(refused ?? path);
  if (spec.kind === "handler")
    throw new UsageError(`${path} has no model file, whose inputs and outputs these would be`);
  const text = signatureTypes(path, spec.signature, methods);
  const output = values.get("output");
  if (output === undefined) terminal.out(text);
  else await writeFile(output, text);
  return exitCodes.ok;
}
