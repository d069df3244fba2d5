/**
 * `sconce archive create|inspect|verify|extract`. Starts no server; inspect and verify start the probe, which loads the
 * model file in a process of its own.
 */
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { appear } from "../archive/atomic.js";
import { sha256File } from "../archive/cache.js";
import type { Inspection } from "../archive/inspect.js";
import { extractArchive, isArchive } from "../archive/unpack.js";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { ServerError } from "../errors.js";
import { create } from "./archive-create.js";
import { look } from "./archive-look.js";
import { inspectionText, verdictText } from "./archive-text.js";
import { exitCodes } from "./exit-codes.js";
import { paint, type Terminal } from "./terminal.js";

type Command = (words: readonly string[], terminal: Terminal) => Promise<number>;

export async function archive(words: readonly string[], terminal: Terminal): Promise<number> {
  const commands: Readonly<Record<string, Command>> = { create, inspect, verify, extract };
  const names = Object.keys(commands);
  const [name, ...rest] = words;
  if (name === undefined) throw new UsageError(`archive needs a command: ${names.join(", ")}`);
  const command = names.includes(name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`unknown command ${JSON.stringify(`archive ${name}`)}${didYouMean(name, names)}`);
  return command(rest, terminal);
}

const json: FlagShape = { flag: "json", takes: "nothing" };
const lookShapes: readonly FlagShape[] = [
  json,
  { flag: "probe", takes: "nothing" },
  { flag: "probe-timeout", takes: "value" },
];

/** Exactly the positionals that are named. */
function positionals(given: readonly string[], names: readonly string[]): readonly string[] {
  if (given.length !== names.length) throw new UsageError(`expected ${names.join(" ")}, got ${given.length} word(s)`);
  return given;
}

async function inspect(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: given } = parseFlags(words, lookShapes);
  const [path = ""] = positionals(given, ["ARCHIVE"]);
  const found = await look(path, values, terminal).catch((error: unknown) => refusal(error, terminal, values));
  if (typeof found === "number") return found;
  if (values.get("json") === "true") terminal.out(`${JSON.stringify(found, undefined, 2)}\n`);
  else terminal.out(inspectionText(found, { color: terminal.colorOut }));
  return exitCodes.ok;
}

/** An archive that cannot be read at all: said as a verdict, not as a fault of the command. */
function refusal(error: unknown, terminal: Terminal, values: ReadonlyMap<string, string>): number {
  if (!(error instanceof ServerError) || error.code !== "invalid_model") throw error;
  if (values.get("json") === "true") terminal.out(`${JSON.stringify({ refused: error.message }, undefined, 2)}\n`);
  else terminal.err(`${paint(terminal.colorErr, "red", "refused:")} ${error.message}\n`);
  return exitCodes.model;
}

async function verify(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: given } = parseFlags(words, [...lookShapes, { flag: "sha256", takes: "value" }]);
  const [path = ""] = positionals(given, ["ARCHIVE"]);
  const wanted = values
    .get("sha256")
    ?.replace(/^sha256:/, "")
    .toLowerCase();
  if (wanted !== undefined && !/^[0-9a-f]{64}$/.test(wanted)) throw new UsageError("--sha256 takes 64 hex digits");
  const seen = await verdict(path, wanted, values, terminal).catch((error: unknown) =>
    refusal(error, terminal, values),
  );
  if (typeof seen === "number") return seen;
  const { refused } = seen;
  if (values.get("json") === "true")
    terminal.out(`${JSON.stringify({ ok: refused === undefined, ...seen }, undefined, 2)}\n`);
  else if (refused === undefined) terminal.out(verdictText(seen, { color: terminal.colorOut }));
  else terminal.err(`${paint(terminal.colorErr, "red", "refused:")} ${refused}\n`);
  return refused === undefined ? exitCodes.ok : exitCodes.model;
}

async function verdict(
  path: string,
  wanted: string | undefined,
  values: ReadonlyMap<string, string>,
  terminal: Terminal,
): Promise<Inspection> {
  // Bytes that are not the ones that were asked for are not even unpacked.
  if (wanted !== undefined) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === true) {
      const sha256 = await sha256File(resolve(path));
      if (sha256 !== wanted)
        throw new ServerError("invalid_model", `${path}: its SHA-256 is ${sha256}, expected ${wanted}`);
    } else if (found) throw new UsageError("--sha256 is for an archive or file; a folder has no digest");
  }
  return look(path, values, terminal);
}

async function extract(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: given } = parseFlags(words, [json]);
  const [path = "", folder = ""] = positionals(given, ["ARCHIVE", "DIR"]);
  const absolute = resolve(path);
  if (!isArchive(absolute)) throw new UsageError(`${path} is not an archive: expected .mar, .tar.gz, .tgz or .zip`);
  if (
    await stat(folder).then(
      () => true,
      () => false,
    )
  )
    throw new UsageError(`${folder} is there already`);
  const code = await extractTo(absolute, resolve(folder), path).catch((error: unknown) =>
    refusal(error, terminal, values),
  );
  if (typeof code === "number") return code;
  if (values.get("json") === "true") terminal.out(`${JSON.stringify({ folder })}\n`);
  else terminal.out(`unpacked into ${folder}\n`);
  return exitCodes.ok;
}

async function extractTo(path: string, folder: string, shown: string): Promise<undefined> {
  await appear(folder, async (temporary) => {
    await mkdir(temporary);
    const root = await extractArchive(path, temporary, undefined, shown);
    // Of a tar archive, the folder around everything is left out.
    if (root === temporary) return;
    const inner = `${temporary}.inner`;
    await rename(root, inner);
    await rm(temporary, { recursive: true });
    await rename(inner, temporary);
  });
  return undefined;
}
