/**
 * TorchServe's paths → what is asked for. Pure. A trailing slash is harmless, every segment is percent-decoded once,
 * and a name that is not a model name can never reach the file system, a log line or a metric label.
 */

import { decodeSegments, isModelName, undecodable } from "../../inference/path.js";

export type Target =
  /** `rest`: what follows the version, without a slash at either end; only models that answer by themselves know such paths. */
  | {
      readonly kind: "predict" | "explain";
      readonly name: string;
      readonly version: string;
      readonly rest: string;
      /** The query's parameters are inputs, too. */
      readonly queryIsInput?: true;
    }
  /** SageMaker's path: the model stands in the query, or there is only one. */
  | { readonly kind: "invocations" }
  /** What SageMaker asks before a batch transform. */
  | { readonly kind: "executionParameters" }
  | { readonly kind: "ping" }
  | { readonly kind: "models" }
  | { readonly kind: "model"; readonly name: string; readonly version: string }
  /** What a version takes and gives. */
  | { readonly kind: "schema"; readonly name: string; readonly version: string }
  | { readonly kind: "setDefault"; readonly name: string; readonly version: string }
  /** KServe's v1 question on the management port. */
  | { readonly kind: "modelReady"; readonly name: string; readonly version: string }
  | { readonly kind: "apiDescription" }
  /** "/" itself. */
  | { readonly kind: "root" }
  | { readonly kind: "metrics" }
  /** TorchServe's, of which there are none here: whoever asks is told so, and not that the path is misspelt. */
  | { readonly kind: "workflows" }
  | { readonly kind: "unknown" }
  /** Shown to the client as JSON text. */
  | { readonly kind: "bad"; readonly message: string }
  | { readonly kind: "badName"; readonly name: string }
  /** No version can be called that. */
  | { readonly kind: "badVersion"; readonly name: string; readonly version: string };

/** Segments that begin paths of their own, so that no model's `/{model}/predict` can. */
const reserved: ReadonlySet<string | undefined> = new Set(["predictions", "explanations", "models", "v1", "v2"]);

/** Paths that the configuration adds to the inference port; "": none. */
export interface HostedRoutes {
  /** Means /ping. */
  readonly healthRoute: string;
  /** Means /invocations. */
  readonly predictRoute: string;
}

/** The inference port's paths: those below, and the other names that predictions have there. */
export function parseInferencePath(path: string, routes?: HostedRoutes): Target {
  if (path === routes?.predictRoute) return { kind: "invocations" };
  if (path === routes?.healthRoute) return { kind: "ping" };
  const segments = decodeSegments(path);
  return (segments && alias(segments)) ?? parsePath(path);
}

/**
 * SageMaker's /invocations and /models/{m}/invoke, KServe's /v1/models/{m}:predict and :explain, /v2/models/{m}/infer and
 * /explain of models that answer by themselves, and /{m}[/{v}]/predict of the server before TorchServe.
 */
function alias(segments: readonly string[]): Target | undefined {
  const [first, second = "", third] = segments;
  const last = segments.at(-1);
  if (segments.length === 1) {
    if (first === "execution-parameters") return { kind: "executionParameters" };
    return first === "invocations" ? { kind: "invocations" } : undefined;
  }
  if (first === "models" && segments.length === 3 && third === "invoke") return forModel("predict", second, "", true);
  if (first === "v1" && second === "models" && segments.length === 3) return kserveV1(third ?? "");
  if (first === "v2" && second === "models" && segments.length === 4) {
    if (last === "infer") return forModel("predict", third ?? "");
    return last === "explain" ? forModel("explain", third ?? "") : undefined;
  }
  if (last !== "predict" || reserved.has(first) || segments.length > 3) return undefined;
  return forModel("predict", first ?? "", segments.length === 3 ? second : "", true);
}

/** As TorchServe tells them apart: by the word after the first colon. */
function kserveV1(segment: string): Target | undefined {
  const colon = segment.indexOf(":");
  const verb = segment.slice(colon + 1);
  if (colon < 0 || (verb !== "predict" && verb !== "explain")) return undefined;
  return forModel(verb, segment.slice(0, colon));
}

function forModel(kind: "predict" | "explain", name: string, version = "", queryIsInput?: true): Target {
  const target = named("model", version === "" ? ["", name] : ["", name, version]);
  return target.kind === "model"
    ? { ...target, kind, rest: "", ...(queryIsInput === true ? { queryIsInput } : {}) }
    : target;
}

/** `path` as sent, without the query. */
export function parsePath(path: string): Target {
  const segments = decodeSegments(path);
  if (segments === undefined) {
    return { kind: "bad", message: undecodable };
  }
  switch (segments[0]) {
    case "ping":
      return segments.length === 1 ? { kind: "ping" } : { kind: "unknown" };
    case "metrics":
      return segments.length === 1 ? { kind: "metrics" } : { kind: "unknown" };
    case "predictions":
      return asked("predict", segments);
    case "explanations":
      return asked("explain", segments);
    case "models":
      if (segments.length === 1) return { kind: "models" };
      if (segments.length === 4 && segments[3] === "set-default") return named("setDefault", segments);
      if (segments.length === 4 && segments[3] === "schema") return named("schema", segments);
      return segments.length <= 3 ? named("model", segments) : { kind: "unknown" };
    case "v1":
      if (segments.length !== 3 || segments[1] !== "models") return { kind: "unknown" };
      return named("modelReady", segments.slice(1));
    case "api-description":
      return segments.length === 1 ? { kind: "apiDescription" } : { kind: "unknown" };
    case "workflows":
    case "wfpredict":
      return { kind: "workflows" };
    case "":
      return path === "/" ? { kind: "root" } : { kind: "unknown" };
    case undefined:
    default:
      return { kind: "unknown" };
  }
}

function asked(kind: "predict" | "explain", segments: readonly string[]): Target {
  if (segments.length < 2) return { kind: "unknown" };
  const target = named("model", segments.slice(0, 3));
  return target.kind === "model" ? { ...target, kind, rest: segments.slice(3).join("/") } : target;
}

function named(kind: "model" | "schema" | "setDefault" | "modelReady", segments: readonly string[]): Target {
  const [, name = "", version = ""] = segments;
  if (name === "" || (segments.length >= 3 && version === "")) return { kind: "unknown" };
  if (!isModelName(name)) return { kind: "badName", name };
  if (version !== "" && !isModelName(version)) return { kind: "badVersion", name, version };
  return { kind, name, version };
}
