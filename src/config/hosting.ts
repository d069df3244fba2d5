/** What hosting services say by variables that are no option's value as they stand. Pure; docs/hosting.md lists them all. */
import type { Environment } from "./environment.js";
import { MiB } from "./option-row.js";
import { type OptionKey, optionRows, type OptionRow } from "./options.js";
import type { ServeConfig } from "./serve-config.js";
import { refuse, type Note, type Setting, type Settings } from "./setting.js";

const safePorts = "SAGEMAKER_SAFE_PORT_RANGE";
const payload = "SAGEMAKER_MAX_PAYLOAD_IN_MB";

/** Vertex AI and SageMaker ask from outside the container, at the port that they name. */
export function isHosted(env: Environment): boolean {
  return ["AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"].some((name) => (env[name] ?? "") !== "");
}

/** Options whose value follows from a variable; throws UsageError. sconce's own variables win over them. */
export function hostedSettings(env: Environment): Settings {
  return new Map<OptionRow, Setting>([...safePortsIn(env), ...payloadIn(env)]);
}

/** The containers of an endpoint share a network, and each may listen beside its port on those of a range, ends included. */
function safePortsIn({ [safePorts]: text = "" }: Environment): readonly (readonly [OptionRow, Setting])[] {
  if (text === "") return [];
  const [, first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first < 1 || last <= first || last > 65_535) throw refuse(safePorts, text, "two ports such as 8100-8200");
  return [optionRows.managementPort, optionRows.metricsPort].map((row, at) => [
    row,
    { value: first + at, origin: safePorts },
  ]);
}

/** The largest body that a batch transform sends. 0, which asks for bodies of any length, changes nothing. */
function payloadIn({ [payload]: text = "" }: Environment): readonly (readonly [OptionRow, Setting])[] {
  if (text === "") return [];
  if (!/^\d{1,4}$/.test(text)) throw refuse(payload, text, "a whole number of MB from 0 to 9999");
  const row = optionRows.maxRequestSize;
  const value = Number(text) * MiB;
  return value > Number(row.fallback) ? [[row, { value, origin: payload }]] : [];
}

/** Vertex AI names where a model's files lie, and leaves fetching them to the container. */
export function unfetched({ AIP_STORAGE_URI: uri = "" }: Environment): readonly Note[] {
  const message = `AIP_STORAGE_URI is not read: sconce fetches nothing from ${uri}; put the model into the image or mount it`;
  return uri === "" ? [] : [{ level: "warn", message }];
}

/**
 * Why a server without a model must not start; undefined: it may. A hosting service would take its health for that of a
 * model, and nothing could bring one later.
 */
export function emptyFault(
  env: Environment,
  config: Pick<ServeConfig, "modelDir" | "multiModel" | "enableModelApi" | "pollModelStoreMs">,
  settings: ReadonlyMap<OptionKey, Setting>,
): { readonly file: string; readonly reason: string } | undefined {
  if (config.multiModel || config.enableModelApi || config.pollModelStoreMs > 0) return undefined;
  const { AIP_STORAGE_URI: uri = "" } = env;
  if (uri !== "") {
    const words = "is not fetched by sconce (AIP_STORAGE_URI), and no other model is there";
    return { file: uri, reason: `${words}; put the model into the image or mount it` };
  }
  const origin = settings.get("modelDir")?.origin ?? "default";
  const reason = "holds no model, and no other is named";
  if (!origin.startsWith("default")) return { file: config.modelDir, reason: `${reason} (${origin})` };
  return isHosted(env) ? { file: config.modelDir, reason: `${reason}: sconce serve MODEL` } : undefined;
}
