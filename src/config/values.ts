/**
 * The kinds of value an option can have: how each is read from text (flag, environment) or from YAML, and how it is
 * shown. Pure. Readers return undefined for what is not of the kind; the caller names option, value and `allowed`.
 */

import { checkModelSettings, modelSettingsAllowed, parseModelSettings, type ModelSettings } from "./model-settings.js";
import { checkModelSnapshot, modelSnapshotAllowed, parseModelSnapshot, type ModelSnapshot } from "./model-snapshot.js";
import { areNetworks } from "./networks.js";

export type Kind =
  /** `shape`: a regular expression for the whole text, and it in words. */
  | { readonly type: "string"; readonly shape?: { readonly pattern: string; readonly words: string } }
  /** `each`: what every entry must be; absent: any text. */
  | { readonly type: "list"; readonly each?: "network" }
  | { readonly type: "boolean" }
  | { readonly type: "integer"; readonly min: number; readonly max: number }
  /** A port number, or `off`. */
  | { readonly type: "port" }
  /** Seconds when no unit is given; the value is milliseconds. */
  | { readonly type: "duration"; readonly minMs: number; readonly maxMs: number }
  /** Bytes; KiB, MiB and GiB (also written K, M, G) are powers of 1024. */
  | { readonly type: "size"; readonly min: number; readonly max: number }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** Rising positive numbers, separated by commas. */
  | { readonly type: "rising"; readonly maxCount: number }
  /** Settings by model and version: JSON, or a mapping in YAML. */
  | { readonly type: "modelSettings" }
  /** What a server had loaded: JSON, or a mapping in YAML. */
  | { readonly type: "modelSnapshot" };

export type OptionValue =
  string | boolean | number | readonly string[] | readonly number[] | ModelSettings | ModelSnapshot;

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, "": 1000 };
const sizeUnits: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const trueWords = ["true", "1", "yes", "on"];
const falseWords = ["false", "0", "no", "off"];

function within(value: number, min: number, max: number): number | undefined {
  return Number.isFinite(value) && value >= min && value <= max ? value : undefined;
}

/** "1.5s", "500ms", "2m", "30" (seconds) → milliseconds, rounded. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|h|)$/i.exec(text.trim());
  const unit = durationUnits[found?.[2]?.toLowerCase() ?? "-"];
  return found && unit !== undefined ? Math.round(Number(found[1]) * unit) : undefined;
}

/** "64MiB", "64M", "65536" → bytes. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim());
  const unit = sizeUnits[found?.[2]?.toLowerCase() ?? "-"];
  return found && unit !== undefined ? Math.round(Number(found[1]) * unit) : undefined;
}

function parseInteger(text: string): number | undefined {
  return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (trueWords.includes(word)) return true;
  return falseWords.includes(word) ? false : undefined;
}

function parseRising(numbers: readonly number[], maxCount: number): readonly number[] | undefined {
  const rising = numbers.every((each, i) => Number.isFinite(each) && each > (numbers[i - 1] ?? 0));
  return rising && numbers.length > 0 && numbers.length <= maxCount ? numbers : undefined;
}

const split = (text: string): string[] =>
  text
    .split(/[,\s]+/)
    .map((each) => each.trim())
    .filter((each) => each !== "");

function fits({ shape }: Extract<Kind, { type: "string" }>, text: string): boolean {
  return shape === undefined || new RegExp(`^(?:${shape.pattern})$`).test(text);
}

function entries({ each }: Extract<Kind, { type: "list" }>, list: readonly string[]): readonly string[] | undefined {
  return each === "network" && !areNetworks(list) ? undefined : list;
}

/** Reads a value from a flag or an environment variable. */
export function fromText(kind: Kind, text: string): OptionValue | undefined {
  switch (kind.type) {
    case "string":
      return text === "" || text.includes("\0") || !fits(kind, text) ? undefined : text;
    case "list":
      return entries(kind, split(text));
    case "boolean":
      return parseBoolean(text);
    case "integer":
      return within(parseInteger(text) ?? NaN, kind.min, kind.max);
    case "port":
      return text === "off" ? text : within(parseInteger(text) ?? NaN, 0, 65_535);
    case "duration":
      return within(parseDuration(text) ?? NaN, kind.minMs, kind.maxMs);
    case "size":
      return within(parseSize(text) ?? NaN, kind.min, kind.max);
    case "choice":
      return kind.choices.includes(text) ? text : undefined;
    case "rising":
      return parseRising(split(text).map(Number), kind.maxCount);
    case "modelSettings":
      return parseModelSettings(text);
    case "modelSnapshot":
      return parseModelSnapshot(text);
  }
}

/** Reads a value from YAML: text as `fromText`, and YAML's own numbers, booleans and lists where they fit. */
export function fromYaml(kind: Kind, value: unknown): OptionValue | undefined {
  if (typeof value === "string") return fromText(kind, value);
  if (typeof value === "boolean") return kind.type === "boolean" ? value : undefined;
  if (typeof value === "number") return kind.type === "boolean" ? undefined : fromText(kind, String(value));
  if (kind.type === "modelSettings") {
    const settings = checkModelSettings(value);
    return typeof settings === "string" ? undefined : settings;
  }
  if (kind.type === "modelSnapshot") {
    const snapshot = checkModelSnapshot(value);
    return typeof snapshot === "string" ? undefined : snapshot;
  }
  if (!Array.isArray(value)) return undefined;
  if (kind.type === "list") return value.every((each) => typeof each === "string") ? entries(kind, value) : undefined;
  if (kind.type !== "rising" || !value.every((each) => typeof each === "number")) return undefined;
  return parseRising(value, kind.maxCount);
}

/** What the kind takes, in words. */
export function allowed(kind: Kind): string {
  switch (kind.type) {
    case "string":
      return kind.shape?.words ?? "text";
    case "list":
      if (kind.each === "network") return "addresses and networks such as 10.0.0.7 10.2.0.0/16 fd12::/48";
      return "names, separated by commas or spaces";
    case "boolean":
      return "true or false";
    case "integer":
      return `a whole number from ${kind.min} to ${kind.max}`;
    case "port":
      return "a port from 0 to 65535 (0 takes any free one) or off";
    case "duration":
      return `a time from ${showDuration(kind.minMs)} to ${showDuration(kind.maxMs)} (seconds, or with ms, s, m, h)`;
    case "size":
      return `a size from ${showSize(kind.min)} to ${showSize(kind.max)} (bytes, or with KiB, MiB, GiB)`;
    case "choice":
      return kind.choices.join(", ");
    case "rising":
      return `1 to ${kind.maxCount} rising positive numbers, separated by commas`;
    case "modelSettings":
      return modelSettingsAllowed;
    case "modelSnapshot":
      return modelSnapshotAllowed;
  }
}

/** What stands for the value in help. */
export function placeholder(kind: Kind): string {
  switch (kind.type) {
    case "boolean":
      return "";
    case "choice":
      return kind.choices.join("|");
    case "integer":
      return "N";
    case "port":
      return "PORT|off";
    case "duration":
      return "TIME";
    case "size":
      return "BYTES";
    case "rising":
      return "N,N,…";
    case "list":
      return "NAME…";
    case "string":
      return "TEXT";
    case "modelSettings":
    case "modelSnapshot":
      return "JSON";
  }
}

export function showDuration(ms: number): string {
  if (ms === 0) return "0 s";
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 1000 === 0) return `${ms / 1000} s`;
  return `${ms} ms`;
}

export function showSize(bytes: number): string {
  for (const [unit, factor] of [["GiB", 1024 ** 3] as const, ["MiB", 1024 ** 2] as const, ["KiB", 1024] as const]) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor} ${unit}`;
  }
  return `${bytes} B`;
}

/** A value as help and docs show a default. */
export function showValue(kind: Kind, value: OptionValue): string {
  if (kind.type === "duration" && typeof value === "number") return showDuration(value);
  if (kind.type === "size" && typeof value === "number") return showSize(value);
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
