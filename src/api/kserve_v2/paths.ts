/** The Open Inference Protocol's paths → what is asked for. Pure. */

import { decodeSegments, isModelName, undecodable } from "../../inference/path.js";

/** A model as a path names it; version "": the default one. */
export interface Named {
  readonly name: string;
  readonly version: string;
}

export type Target =
  | { readonly kind: "server" | "live" | "ready" | "unknown" }
  | ({ readonly kind: "metadata" | "modelReady" | "infer" } & Named)
  | { readonly kind: "bad"; readonly message: string }
  | { readonly kind: "badName"; readonly name: string };

/** `path` as sent, without the query: /v2, /v2/health/{live|ready}, /v2/models/{m}[/versions/{v}][/{ready|infer}]. */
export function parsePath(path: string): Target {
  const segments = decodeSegments(path);
  if (segments === undefined) return { kind: "bad", message: undecodable };
  if (segments[0] !== "v2") return { kind: "unknown" };
  if (segments.length === 1) return { kind: "server" };
  const [, area, last] = segments;
  if (area === "models") return model(segments.slice(2));
  if (area !== "health" || segments.length !== 3) return { kind: "unknown" };
  return last === "live" || last === "ready" ? { kind: last } : { kind: "unknown" };
}

const verbs: ReadonlyMap<string | undefined, "metadata" | "modelReady" | "infer"> = new Map([
  [undefined, "metadata"],
  ["ready", "modelReady"],
  ["infer", "infer"],
]);

function model(segments: readonly string[]): Target {
  const [name = "", ...rest] = segments;
  const versioned = rest[0] === "versions";
  const version = versioned ? (rest[1] ?? "") : "";
  const tail = versioned ? rest.slice(2) : rest;
  const kind = verbs.get(tail[0]);
  if (name === "" || (versioned && version === "") || tail.length > 1 || kind === undefined) return { kind: "unknown" };
  if (!isModelName(name)) return { kind: "badName", name };
  if (version !== "" && !isModelName(version)) return { kind: "badName", name: `${name}/${version}` };
  return { kind, name, version };
}
