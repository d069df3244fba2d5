/** `sconce archive create`: torch-model-archiver's flags → an archive, and what a server would say to it. */
import { archiveFormats, type ArchiveFormat } from "../archive/pack.js";
import { sha256File } from "../archive/cache.js";
import { createArchive, type CreateOptions } from "../archive/create.js";
import { parseLineage } from "../archive/lineage.js";
import { runtimes, type Runtime } from "../archive/manifest.js";
import { parseFlags, type FlagShape } from "../config/flags.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { ServerError } from "../errors.js";
import { exitCodes } from "./exit-codes.js";
import { look } from "./archive-look.js";
import { paint, type Terminal } from "./terminal.js";
import { packageVersion } from "./version.js";

const value = (flag: string, short?: string): FlagShape => ({
  flag,
  takes: "value",
  ...(short === undefined ? {} : { short }),
});

/** Flag → key of the manifest's lineage. */
const lineageFlags = {
  run: "run",
  commit: "commit",
  "data-digest": "dataDigest",
  "torch-version": "torchVersion",
} as const;

const shapes: readonly FlagShape[] = [
  ...["model-name", "handler", "serialized-file", "model-file", "runtime", "export-path"].map((each) => value(each)),
  ...["archive-format", "extra-files"].map((each) => value(each)),
  ...Object.keys(lineageFlags).map((each) => value(each)),
  value("version", "v"),
  value("requirements-file", "r"),
  value("config-file", "c"),
  { flag: "force", takes: "nothing", short: "f" },
  { flag: "json", takes: "nothing" },
];

export async function create(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(words, shapes);
  if (positionals.length > 0) throw new UsageError(`unexpected ${JSON.stringify(positionals[0])}`);
  const { path, files, unmatched } = await createArchive(checkedOptions(values, terminal.env)).catch(asUsage);
  const sha256 = values.get("archive-format") === "no-archive" ? undefined : await sha256File(path);
  const { refused } = await look(path, new Map([["probe", "false"]]), terminal);
  if (values.get("json") === "true") {
    terminal.out(`${JSON.stringify({ path, sha256, files, unmatched, refused }, undefined, 2)}\n`);
    return exitCodes.ok;
  }
  terminal.out(`${path}\n${sha256 === undefined ? "" : `sha256 ${sha256}\n`}`);
  const note = (words: string): void => terminal.err(`${paint(terminal.colorErr, "yellow", "note:")} ${words}\n`);
  for (const pattern of unmatched) note(`--extra-files: no file matches ${pattern}`);
  if (refused !== undefined) note(`packed, but this version of sconce would not serve it: ${refused}`);
  return exitCodes.ok;
}

/** What the options cannot be is a matter of usage. */
function asUsage(error: unknown): never {
  if (error instanceof ServerError && error.code === "bad_request") throw new UsageError(error.message);
  throw error;
}

function checkedOptions(values: ReadonlyMap<string, string>, env: Terminal["env"]): CreateOptions {
  try {
    return optionsOf(values, env);
  } catch (error) {
    if (error instanceof ServerError) throw new UsageError(error.message);
    throw error;
  }
}

function optionsOf(values: ReadonlyMap<string, string>, env: Terminal["env"]): CreateOptions {
  const needed = (flag: string): string => {
    const given = values.get(flag);
    if (given === undefined) throw new UsageError(`archive create needs --${flag}`);
    return given;
  };
  const optional = <K extends string>(key: K, flag: string): Partial<Record<K, string>> => {
    // Scripts write --config-file "$CONFIG" and mean none when it is empty.
    const given = values.get(flag) ?? "";
    return given === "" ? {} : ({ [key]: given } as Record<K, string>);
  };
  const created = createdOn(env["SOURCE_DATE_EPOCH"]);
  return {
    modelName: needed("model-name"),
    version: needed("version"),
    handler: needed("handler"),
    ...optional("serializedFile", "serialized-file"),
    ...optional("modelFile", "model-file"),
    ...optional("requirementsFile", "requirements-file"),
    ...optional("configFile", "config-file"),
    extraFiles: (values.get("extra-files") ?? "")
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== ""),
    runtime: choice<Runtime>("runtime", values.get("runtime") ?? "python", runtimes),
    exportPath: values.get("export-path") ?? ".",
    format: choice<ArchiveFormat>("archive-format", values.get("archive-format") ?? "default", archiveFormats),
    force: values.get("force") === "true",
    ...(created === undefined ? {} : { created }),
    archiver: `sconce ${packageVersion()}`,
    ...lineageOf(values),
  };
}

function lineageOf(values: ReadonlyMap<string, string>): Pick<CreateOptions, "lineage"> {
  const given = Object.entries(lineageFlags).flatMap(([flag, key]) => {
    const word = values.get(flag);
    return word === undefined ? [] : [[key, word] as const];
  });
  const lineage = given.length === 0 ? undefined : parseLineage("archive create", Object.fromEntries(given));
  return lineage === undefined ? {} : { lineage };
}

function choice<T extends string>(flag: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === given);
  if (found !== undefined) return found;
  throw new UsageError(`--${flag} ${JSON.stringify(given)}: one of ${allowed.join(", ")}${didYouMean(given, allowed)}`);
}

/** The date that reproducible builds agree on. */
function createdOn(epoch: string | undefined): Date | undefined {
  if (epoch === undefined || epoch === "") return undefined;
  if (!/^\d{1,11}$/.test(epoch))
    throw new UsageError(`SOURCE_DATE_EPOCH is ${JSON.stringify(epoch)}, expected seconds`);
  return new Date(Number(epoch) * 1000);
}
