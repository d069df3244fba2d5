/** The Open Inference Protocol's paths → what is asked for. Pure. */

import { decodeSegments, isModelName, undecodable } from "../../inference/path.js";

/** A model as a path names it; version "": the default one. */
export interface Named {
  readonly name: string;
  readonly version: string;
}

export type Target =
  | { readonly kind: "server" | "live" | "ready" | "unknown" }
  /** Triton's: the figures of all models, the index of the repository, loading, memory that both sides see, its log and traces. */
  | { readonly kind: "allStats" | "index" | "repository" | "sharedMemory" | "settings" }
  | ({ readonly kind: ModelVerb } & Named)
  | { readonly kind: "bad"; readonly message: string }
  | { readonly kind: "badName"; readonly name: string };

type ModelVerb = "metadata" | "modelReady" | "infer" | "config" | "stats";

/**
 * `path` as sent, without the query: /v2, /v2/health/{live|ready}, /v2/models/{m}[/versions/{v}][/{ready|infer}], and of Triton's
 * extensions …/{config|stats}, /v2/models/stats, /v2/repository/index.
 */
export function parsePath(path: string): Target {
  const segments = decodeSegments(path);
  if (segments === undefined) return { kind: "bad", message: undecodable };
  if (segments[0] !== "v2") return { kind: "unknown" };
  if (segments.length === 1) return { kind: "server" };
  const [, area, last] = segments;
  const tail = segments.slice(-2).join("/");
  if (tail === "trace/setting" || (area === "logging" && segments.length === 2)) return { kind: "settings" };
  if (area === "models") {
    return segments.length === 3 && last === "stats" ? { kind: "allStats" } : model(segments.slice(2));
  }
  if (area === "repository") return repository(segments.slice(2));
  if (area === "systemsharedmemory" || area === "cudasharedmemory") return { kind: "sharedMemory" };
  if (area !== "health" || segments.length !== 3) return { kind: "unknown" };
  return last === "live" || last === "ready" ? { kind: last } : { kind: "unknown" };
}

const verbs: ReadonlyMap<string | undefined, ModelVerb> = new Map([
  [undefined, "metadata"],
  ["ready", "modelReady"],
  ["infer", "infer"],
  ["config", "config"],
  ["stats", "stats"],
] as const);

function repository([area, _name, verb, ...rest]: readonly string[]): Target {
  if (area === "index" && _name === undefined) return { kind: "index" };
  const loads = area === "models" && rest.length === 0 && (verb === "load" || verb === "unload");
  return { kind: loads ? "repository" : "unknown" };
}

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
