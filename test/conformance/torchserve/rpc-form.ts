/** The gRPC call that asks what a REST transcript asks, where there is one. */
import { bodyOf, type Transcript } from "./suites.js";

export interface RpcForm {
  readonly service: "inference" | "management";
  readonly method: string;
  readonly message: Readonly<Record<string, string | number | boolean>>;
  /** The `data` of a prediction's input. */
  readonly data?: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether a call that succeeds changes what the next ones are answered. */
  readonly changes: boolean;
}

const words = ["url", "model_name", "handler", "runtime"] as const;
type Flag = "synchronous" | "customized" | "force";
const numbers = ["batch_size", "initial_workers", "max_batch_delay", "response_timeout", "startup_timeout"] as const;
const scaleNumbers = ["min_worker", "max_worker", "number_gpu", "timeout"] as const;

/**
 * Undefined: REST alone can ask it (another verb, a form, a path that is none, a number that is none, 0 or "" where gRPC
 * takes them for "not given").
 */
export function rpcForm(transcript: Transcript, compat: string): RpcForm | undefined {
  const [verb = "", target = ""] = transcript.ask.split(" ");
  const [path = "", query = ""] = target.split("?");
  if (path.includes("%00") || query === "url=") return undefined;
  const segments = path.split("/").filter((each) => each !== "");
  const [first = "", name = "", version = "", ...rest] = segments.map(decodeURIComponent);
  if (transcript.on === "management") {
    if (first !== "models" || rest.length > 1) return undefined;
    const given = parametersOf(transcript, query);
    return given && management(verb, [name, version, ...rest], given, compat);
  }
  if (transcript.on === "metrics" || query !== "" || rest.length > 0) return undefined;
  if (path === "/ping" && verb === "GET") return call("inference", "Ping", {});
  if (first !== "predictions" || name === "" || !["POST", "PUT"].includes(verb)) return undefined;
  if (transcript.accept !== undefined) return undefined;
  if (/^(multipart|application\/x-www-form)/.test(transcript.type ?? "")) return undefined;
  return {
    ...call("inference", "Predictions", { model_name: name, model_version: version }),
    data: Buffer.from(bodyOf(transcript) ?? ""),
    metadata: transcript.type === undefined ? {} : { "x-sconce-content-type": transcript.type },
  };
}

function call(service: RpcForm["service"], method: string, message: RpcForm["message"], changes = false): RpcForm {
  return { service, method, message, metadata: {}, changes };
}

type Given = ReadonlyMap<string, string>;

/** The query's, or those of a JSON body instead; undefined for a body that is none. */
function parametersOf({ send, type }: Transcript, query: string): Given | undefined {
  if (type !== "application/json") return new Map([...new URLSearchParams(query)].reverse());
  try {
    const body = JSON.parse(send ?? "") as object;
    if (Array.isArray(body) || Object.values(body).some((each) => typeof each === "object")) return undefined;
    return new Map(Object.entries(body).map(([key, value]) => [key, String(value)]));
  } catch {
    return undefined;
  }
}

function management(
  verb: string,
  [name = "", version = "", last]: readonly string[],
  given: Given,
  compat: string,
): RpcForm | undefined {
  const model = { model_name: name, model_version: version || (given.get("model_version") ?? "") };
  const changed = (method: string, message: RpcForm["message"] | undefined): RpcForm | undefined =>
    message && call("management", method, message, true);
  if (last !== undefined) {
    const set = verb === "PUT" && last === "set-default";
    return set ? changed("SetDefault", { ...model, ...flagsOf(given, { force: false }) }) : undefined;
  }
  if (verb === "GET" && name === "") return list(given, compat);
  if (verb === "GET") {
    const known = version !== "log-level" && version !== "schema";
    return known
      ? call("management", "DescribeModel", { ...model, ...flagsOf(given, { customized: false }) })
      : undefined;
  }
  if (verb === "DELETE" && name !== "") return changed("UnregisterModel", model);
  if (verb === "PUT" && name !== "") {
    const counts = numbersOf(given, scaleNumbers);
    return changed("ScaleWorker", counts && { ...model, ...counts, ...flagsOf(given, { synchronous: false }) });
  }
  if (verb !== "POST" || name !== "") return undefined;
  const counts = numbersOf(given, numbers);
  const texts = Object.fromEntries(words.flatMap((key) => (given.has(key) ? [[key, given.get(key) ?? ""]] : [])));
  return changed("RegisterModel", counts && { ...texts, ...counts, ...flagsOf(given, { synchronous: true }) });
}

function list(given: Given, compat: string): RpcForm | undefined {
  // An unset limit is 0 on the wire: TorchServe's empty page, or else the default.
  const limit = given.get("limit") ?? (compat === "torchserve" ? "100" : "0");
  const token = given.get("next_page_token") ?? "0";
  if (!/^-?\d+$/.test(limit) || (given.get("limit") === "0" && compat !== "torchserve")) return undefined;
  return call("management", "ListModels", { limit: Number(limit), next_page_token: Number(token) });
}

function flagsOf(given: Given, otherwise: Partial<Record<Flag, boolean>>): Record<string, boolean> {
  const read = (key: string, fallback: boolean): boolean => {
    const value = given.get(key);
    return value === undefined ? fallback : value.toLowerCase() === "true";
  };
  return Object.fromEntries(Object.entries(otherwise).map(([key, fallback]) => [key, read(key, fallback)]));
}

/** Undefined where one is not a positive whole number of 32 bits: on the wire that cannot be said, or means the default. */
function numbersOf(given: Given, names: readonly string[]): Record<string, number> | undefined {
  const found = names.filter((name) => given.has(name)).map((name) => [name, given.get(name) ?? ""] as const);
  if (found.some(([, value]) => !/^[1-9]\d{0,8}$/.test(value))) return undefined;
  return Object.fromEntries(found.map(([name, value]) => [name, Number(value)]));
}
