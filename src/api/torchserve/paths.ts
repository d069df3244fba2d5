/**
 * TorchServe's paths → what is asked for. Pure. A trailing slash is harmless, every segment is percent-decoded once,
 * and a name that is not a model name can never reach the file system, a log line or a metric label.
 */

/** The one rule for model names, in every API. */
const nameRule = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const maxNameLength = 128;

export type Target =
  /** `rest`: what follows the version, without a slash at either end; only models that answer by themselves know such paths. */
  | { readonly kind: "predict" | "explain"; readonly name: string; readonly version: string; readonly rest: string }
  | { readonly kind: "ping" }
  | { readonly kind: "live" }
  | { readonly kind: "ready" }
  | { readonly kind: "models" }
  | { readonly kind: "model"; readonly name: string; readonly version: string }
  | { readonly kind: "setDefault"; readonly name: string; readonly version: string }
  /** KServe's v1 question on the management port. */
  | { readonly kind: "modelReady"; readonly name: string; readonly version: string }
  | { readonly kind: "apiDescription" }
  /** "/" itself. */
  | { readonly kind: "root" }
  | { readonly kind: "metrics" }
  | { readonly kind: "unknown" }
  /** Shown to the client as JSON text. */
  | { readonly kind: "bad"; readonly message: string }
  | { readonly kind: "badName"; readonly name: string };

export function isModelName(name: string): boolean {
  return name.length <= maxNameLength && nameRule.test(name) && !name.includes("..");
}

/** `path` as sent, without the query. */
export function parsePath(path: string): Target {
  const segments = decodeSegments(path);
  if (segments === undefined) {
    return { kind: "bad", message: "The path holds a control character or an escape that is not UTF-8." };
  }
  switch (segments[0]) {
    case "ping":
      return segments.length === 1 ? { kind: "ping" } : { kind: "unknown" };
    case "metrics":
      return segments.length === 1 ? { kind: "metrics" } : { kind: "unknown" };
    case "v2":
      return health(segments);
    case "predictions":
      return asked("predict", segments);
    case "explanations":
      return asked("explain", segments);
    case "models":
      if (segments.length === 1) return { kind: "models" };
      if (segments.length === 4 && segments[3] === "set-default") return named("setDefault", segments);
      return segments.length <= 3 ? named("model", segments) : { kind: "unknown" };
    case "v1":
      if (segments.length !== 3 || segments[1] !== "models") return { kind: "unknown" };
      return named("modelReady", segments.slice(1));
    case "api-description":
      return segments.length === 1 ? { kind: "apiDescription" } : { kind: "unknown" };
    case "":
      return path === "/" ? { kind: "root" } : { kind: "unknown" };
    case undefined:
    default:
      return { kind: "unknown" };
  }
}

function health(segments: readonly string[]): Target {
  if (segments.length !== 3 || segments[1] !== "health") return { kind: "unknown" };
  if (segments[2] === "live") return { kind: "live" };
  return segments[2] === "ready" ? { kind: "ready" } : { kind: "unknown" };
}

function asked(kind: "predict" | "explain", segments: readonly string[]): Target {
  if (segments.length < 2) return { kind: "unknown" };
  const target = named("model", segments.slice(0, 3));
  return target.kind === "model" ? { ...target, kind, rest: segments.slice(3).join("/") } : target;
}

function named(kind: "model" | "setDefault" | "modelReady", segments: readonly string[]): Target {
  const [, name = "", version = ""] = segments;
  if (name === "" || (segments.length >= 3 && version === "")) return { kind: "unknown" };
  if (!isModelName(name)) return { kind: "badName", name };
  if (version !== "" && !isModelName(version)) return { kind: "badName", name: `${name}/${version}` };
  return { kind, name, version };
}

/** Undefined for an escape that does not decode, or a control character once decoded. */
function decodeSegments(path: string): string[] | undefined {
  const end = path.length > 1 && path.endsWith("/") ? path.length - 1 : path.length;
  const segments = path.slice(1, end).split("/");
  if (!path.includes("%") && isPlain(path)) return segments;
  try {
    const decoded = segments.map((each) => decodeURIComponent(each));
    return decoded.every(isPlain) ? decoded : undefined;
  } catch {
    return undefined;
  }
}

function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return false;
  }
  return true;
}
