/** Where a version comes from, as whoever packed it wrote into the manifest's `lineage`. Pure. */
import type { Lineage } from "../types.js";
import { invalid } from "./failure.js";

export const lineageKeys = ["run", "commit", "dataDigest", "torchVersion"] as const;
const maxLength = 256;

/** `file` is for messages. Undefined where nothing is said. */
export function parseLineage(file: string, given: unknown): Lineage | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given !== "object" || Array.isArray(given)) {
    throw invalid(file, `"lineage" must be an object with ${lineageKeys.join(", ")}`);
  }
  const known: readonly string[] = lineageKeys;
  const strange = Object.keys(given).find((key) => !known.includes(key));
  if (strange !== undefined) {
    throw invalid(file, `"lineage.${strange.slice(0, 64)}" is not one of ${lineageKeys.join(", ")}`);
  }
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === "string" && value !== "" && value.length <= maxLength && /^[\x20-\x7e]*$/.test(value))
      continue;
    throw invalid(file, `"lineage.${key}" must be text of 1 to ${maxLength} ASCII characters on one line`);
  }
  const version = (given as Lineage).torchVersion;
  if (version !== undefined && !/^\d+\.\d+/.test(version)) {
    throw invalid(file, `"lineage.torchVersion" is ${JSON.stringify(version)}; expected one such as 2.14.1`);
  }
  return given;
}

/** What to know where the model was saved by a newer torch than the one that loads it; undefined: nothing. `libtorch` "": it is not known. */
export function torchWarning(path: string, lineage: Lineage | undefined, libtorch: string): string | undefined {
  const [packed, here] = [lineage?.torchVersion, libtorch].map((version) => version?.split(".").map(Number));
  const [major = NaN, minor = NaN] = packed ?? [];
  const [ownMajor = NaN, ownMinor = NaN] = here ?? [];
  if (libtorch === "") return undefined;
  const newer = major > ownMajor || (major === ownMajor && minor > ownMinor);
  if (!newer) return undefined;
  return `${path}: saved by torch ${lineage?.torchVersion ?? ""}, and this is ${libtorch}, which may not know all of it`;
}
