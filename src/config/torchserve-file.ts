/**
 * config.properties → settings and notes: `$$NAME$$` replaced, TS_* variables over the file when it allows them, every
 * key honoured or answered. Pure. Throws UsageError with file, line, key, value and what is allowed.
 */
import type { Environment } from "./environment.js";
import { optionRows, type OptionKey, type OptionRow } from "./options.js";
import { parseProperties, type Property } from "./properties.js";
import { refuse, type Note, type Setting, type Settings } from "./setting.js";
import { didYouMean } from "./suggest.js";
import { torchserveKeys, type TorchserveKey } from "./torchserve-keys.js";
import { UsageError } from "./usage-error.js";

export interface TorchserveSettings {
  readonly settings: Settings;
  readonly notes: readonly Note[];
}

interface Given {
  readonly text: string;
  /** File and line, or the variable. */
  readonly origin: string;
}

/** `path` is for messages and origins. */
export function readTorchserve(path: string, text: string, env: Environment): TorchserveSettings {
  const notes: Note[] = [];
  const given = new Map<string, Given>();
  for (const property of parseProperties(text)) {
    const origin = `${path}:${property.line}`;
    const { key, badEscape } = property;
    if (badEscape !== undefined)
      throw refuse(`${origin}: ${shownKey(key)}`, badEscape, "\\u and four hexadecimal digits");
    const before = given.get(property.key);
    if (before) notes.push(warning(`${origin}: ${property.key} is given again; ${before.origin} has no effect`));
    given.set(property.key, { text: substitute(origin, property, env), origin });
  }
  override(given, env);
  const settings = new Map<OptionRow, Setting>();
  for (const [key, each] of given) {
    const known = torchserveKeys.find((one) => one.key === key);
    if (!known) {
      const names = torchserveKeys.map((one) => one.key);
      notes.push(
        warning(`${each.origin}: ${shownKey(key)} is no key of TorchServe or sconce${didYouMean(key, names)}`),
      );
      continue;
    }
    const note = fill(settings, known, each);
    if (note) notes.push(note);
  }
  checkPorts(path, settings);
  return { settings, notes };
}

/** Of a file that is no text: on one line, and not without end. */
const shownKey = (key: string): string => JSON.stringify(key).slice(1, -1).slice(0, 200);

const warning = (message: string): Note => ({ level: "warn", message });

function fill(settings: Map<OptionRow, Setting>, known: TorchserveKey, { text, origin }: Given): Note | undefined {
  if (known.read === undefined) {
    return { level: known.warns ? "warn" : "info", message: `${origin}: ${known.key} is not used: ${known.here}` };
  }
  const filled = known.read(text);
  if (typeof filled === "string") throw refuse(`${origin}: ${known.key}`, text, filled);
  for (const [option, value] of Object.entries(filled)) {
    settings.set(optionRows[option as OptionKey], { value, origin: `${origin} ${known.key}` });
  }
  return undefined;
}

/** Every `$$NAME$$` becomes the variable's value, as it is. */
function substitute(origin: string, { key, value }: Property, env: Environment): string {
  return value.replace(/\$\$([^$]+)\$\$/g, (_, name: string) => {
    const found = env[name];
    if (found === undefined) {
      throw new UsageError(
        `${origin}: ${key}: $$${name}$$ stands for the environment variable ${name}, which is not set`,
      );
    }
    return found;
  });
}

/** TS_* variables count only when the file says so, and TS_ALLOWED_URLS only when it says that too. */
function override(given: Map<string, Given>, env: Environment): void {
  const isTrue = (key: string): boolean => given.get(key)?.text.toLowerCase() === "true";
  if (!isTrue("enable_envvars_config")) return;
  for (const { key, env: name } of torchserveKeys) {
    const text = name === undefined ? undefined : env[name];
    if (name === undefined || text === undefined || text === "") continue;
    if (key === "allowed_urls" && !isTrue("use_env_allowed_urls")) continue;
    given.set(key, { text: text.trim(), origin: name });
  }
}

const listeners = [
  ["host", "port"],
  ["managementHost", "managementPort"],
  ["metricsHost", "metricsPort"],
] as const;

/** Inference and management may share an address, as in TorchServe; metrics has one of its own there, too. */
function checkPorts(path: string, settings: Settings): void {
  const seen = new Map<string, string>();
  for (const [host, port] of listeners) {
    const at = settings.get(optionRows[host]);
    if (!at) continue;
    const address = JSON.stringify([at.value, settings.get(optionRows[port])?.value]);
    const other = seen.get(address);
    if (other !== undefined && host === "metricsHost") {
      throw new UsageError(`${at.origin}: the same address as ${other}; metrics has a port of its own`);
    }
    seen.set(address, at.origin.replace(`${path}:`, "line "));
  }
}
