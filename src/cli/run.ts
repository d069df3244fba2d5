/** Words of the command line → a command → an exit code. Errors become one line on standard error. */
import { parseFlags } from "../config/flags.js";
import { didYouMean } from "../config/suggest.js";
import { UsageError } from "../config/usage-error.js";
import { ServerError } from "../errors.js";
import { redactSecrets } from "../telemetry/secrets.js";
import { exitCodes } from "./exit-codes.js";
import { commandHelp, commandNames, commandTable, overview } from "./help.js";
import { paint, type Terminal } from "./terminal.js";
import { version } from "./version.js";

/** Never rejects. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(words, terminal);
  } catch (error) {
    return report(error, words[0], terminal);
  }
}

async function dispatch(words: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined || first === "--help" || first === "-h") return help(rest[0], terminal);
  if (first === "--version" || first === "-v") return version(rest.includes("--json"), terminal);
  if (!commandNames.includes(first)) throw unknownCommand(first);
  const end = rest.indexOf("--");
  const flags = end < 0 ? rest : rest.slice(0, end);
  if (flags.includes("--help") || flags.includes("-h")) return help(first, terminal);
  switch (first) {
    case "help":
      return help(rest[0], terminal);
    case "version":
      return version(onlyJson(rest), terminal);
    // What loads native code is imported when it is asked for: help must work without it.
    case "doctor":
      return (await import("./doctor.js")).doctor(onlyJson(rest), terminal);
    case "status":
      return (await import("./status.js")).status(rest, terminal);
    case "bundle": {
      const { bundle } = await import("./bundle.js");
      const doctor = async (to: Terminal): Promise<unknown> => (await import("./doctor.js")).doctor(true, to);
      const { config } = await import("./config.js");
      return bundle(rest, terminal, { doctor, config: (to) => config(["show", "--json"], to) });
    }
    case "config":
      return (await import("./config.js")).config(rest, terminal);
    case "publish":
      return (await import("./publish.js")).publish(rest, terminal);
    case "archive":
      return (await import("./archive.js")).archive(rest, terminal);
    case "handler":
      return (await import("./handler.js")).handler(rest, terminal);
    case "migrate":
      return (await import("./migrate.js")).migrate(rest, terminal);
    case "models":
      return (await import("./models.js")).models(rest, terminal);
    case "token":
      return (await import("./token.js")).token(rest, terminal);
    case "predict":
      return (await import("./predict.js")).predict(rest, terminal);
    default:
      return (await import("./serve.js")).serve(rest, terminal);
  }
}

function unknownCommand(word: string): UsageError {
  const hint = didYouMean(word, commandNames);
  const model = hint === "" && !word.startsWith("-") ? `; to serve a model: sconce serve ${word}` : "";
  return new UsageError(`unknown command ${JSON.stringify(word)}${hint}${model}`);
}

function onlyJson(words: readonly string[]): boolean {
  const { values, positionals } = parseFlags(words, [{ flag: "json", takes: "nothing" }]);
  if (positionals.length > 0) throw new UsageError(`unexpected ${JSON.stringify(positionals[0])}`);
  return values.get("json") === "true";
}

function help(command: string | undefined, terminal: Terminal): number {
  const style = { color: terminal.colorOut, width: terminal.width };
  const found = commandTable.find((each) => each.name === command);
  if (command !== undefined && !found) throw unknownCommand(command);
  terminal.out(found ? commandHelp(found, style) : overview(style));
  return exitCodes.ok;
}

/** Says what went wrong; resolves to the exit code. */
export function report(error: unknown, command: string | undefined, terminal: Terminal): number {
  const head = paint(terminal.colorErr, "red", "sconce:");
  const message = error instanceof Error ? error.message : String(error);
  // Messages quote what was given, such as a URL with its password.
  terminal.err(`${head} ${redactSecrets(message)}\n`);
  if (error instanceof UsageError) {
    const known = command !== undefined && command !== "help" && commandNames.includes(command);
    terminal.err(`See: sconce help${known ? ` ${command}` : ""}\n`);
    return exitCodes.usage;
  }
  if (error instanceof Error && error.name === "StartError") return exitCodes.model;
  // Errors of the server's and of the system are for operators as they are; any other is a fault of ours, and its stack helps.
  const known = error instanceof ServerError || (error instanceof Error && "syscall" in error);
  if (!known && error instanceof Error) terminal.err(`${redactSecrets(error.stack ?? "")}\n`);
  return exitCodes.failure;
}
