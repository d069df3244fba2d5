/**
 * What TorchServe's management API does, free of any wire: parameters in, status and JSON out, ServerError on refusal.
 * Thread: main.
 */
import { ServerError } from "../../errors.js";
import type { ModelAdmin, ModelEntry, RegisterRequest, Workers } from "../../models/models.js";
import { schemaOf } from "../../models/schema.js";
import { type LogLevel, logLevels, type ModelLevels } from "../../telemetry/log.js";
import {
  choose,
  type Described,
  describeModel,
  type DeviceUse,
  isCustomized,
  listModels,
  type ServingStats,
} from "./describe.js";
import { notAllowed } from "./errors.js";
import { type Parameters, truth, wholeNumber } from "./parameters.js";

export interface ManagementContext {
  readonly admin: ModelAdmin;
  /** What it is asked of the engine. */
  readonly engine: {
    stats(): readonly ServingStats[];
    deviceStats(): readonly DeviceUse[];
    /** What a handler says of itself. */
    metadata?(name: string, version: string): Promise<Readonly<Record<string, unknown>>>;
  };
  /** --enable-model-api. */
  readonly modelApi: boolean;
  readonly compat: "torchserve" | "sconce";
  readonly levels: ModelLevels;
}

export interface ManagementAnswer {
  readonly status: number;
  readonly body: unknown;
}

const maxWorkers = 1024;
const maxBatchSize = 65_536;
const maxDelayMs = 86_400_000;
const maxSeconds = 86_400;
/** TorchServe's words for the runtime of an archive; which one it is makes no difference here. */
const runtimes = ["python", "python3", "LSP"];

export class Management {
  private readonly context: ManagementContext;

  constructor(context: ManagementContext) {
    this.context = context;
  }

  list(query: string): ManagementAnswer {
    return { status: 200, body: listModels(this.context.admin.list(), query) };
  }

  /** version "": the default; "all": every one. A promise where the handler is asked, too. */
  describe(name: string, version: string, query: string): ManagementAnswer | Promise<ManagementAnswer> {
    const [chosen] = choose(this.context.admin.get(name), version);
    if (chosen === undefined || !isCustomized(version, query)) return this.described(name, version);
    const asked = this.context.engine.metadata?.(name, chosen.version) ?? Promise.resolve({});
    return asked.then((metadata) => this.described(name, version, { metadata }));
  }

  private described(name: string, version: string, more: Pick<Described, "metadata"> = {}): ManagementAnswer {
    const { admin, engine, levels } = this.context;
    const versions = admin.get(name);
    if (versions.length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    const shown = { stats: engine.stats(), devices: engine.deviceStats(), logLevel: levels.of(name), ...more };
    const body = describeModel(versions, version, shown);
    if (body !== undefined) return { status: 200, body };
    throw new ServerError("version_not_found", `Model version: ${version} does not exist for model: ${name}`);
  }

  /** KServe v1: whether a model can answer now. */
  ready(name: string): ManagementAnswer {
    const versions = this.context.admin.get(name);
    if (versions.length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    return { status: 200, body: { name, ready: versions.some((entry) => entry.isDefault && entry.state === "ready") } };
  }

  async register(given: Parameters): Promise<ManagementAnswer> {
    this.allowModelApi();
    const { compat, admin } = this.context;
    const request = registerRequest(given, compat);
    const entry = await admin.register(request);
    // TorchServe has nothing to wait for where no worker is to start, and says so whatever `synchronous` is.
    const without = compat === "torchserve" && entry.spec?.instances === 0;
    if (!request.wait && !without) return processing;
    return status(200, registered(entry, this.instancesOf(entry)));
  }

  /** version "": the default one. */
  async scale(name: string, version: string, given: Parameters): Promise<ManagementAnswer> {
    const workers = workersOf(given, this.context.compat);
    const wanted = version === "" ? given.get("model_version") : version;
    const wait = truth(given, "synchronous", false);
    const scaled = await this.context.admin.scale(name, wanted, workers, wait);
    if (!wait) return processing;
    if (!scaled.settled) return status(206, "Workers scaling in progress...");
    const suffix = wanted === undefined ? "" : `, version: ${wanted}`;
    return status(200, `Workers scaled to ${scaled.instances} for model: ${name}${suffix}`);
  }

  /** `force=true`: also where clients of the present default could not go on. */
  async setDefault(name: string, version: string, given: Parameters): Promise<ManagementAnswer> {
    const differences = await this.context.admin.setDefault(name, version, truth(given, "force", false));
    const { status: code, body } = status(
      200,
      `Default version successfully updated for model "${name}" to "${version}"`,
    );
    return { status: code, body: { ...body, ...(differences.length === 0 ? {} : { differences }) } };
  }

  /** What a version takes and gives. */
  schema(name: string, version: string): ManagementAnswer {
    const versions = this.context.admin.get(name);
    if (versions.length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    const entry = versions.find((each) => each.version === version);
    const schema = entry && schemaOf(entry);
    if (schema === undefined) {
      throw new ServerError("version_not_found", `Model version: ${version} does not exist for model: ${name}`);
    }
    return { status: 200, body: { modelName: name, modelVersion: version, ...schema } };
  }

  async rollback(name: string): Promise<ManagementAnswer> {
    const { from, to } = await this.context.admin.rollback(name);
    return status(200, `Default version of model "${name}" rolled back from "${from}" to "${to}"`);
  }

  /** What is logged of a model from now on: one of the log's levels, or `default`, which is --log-level again. */
  setLogLevel(name: string, query: string): ManagementAnswer {
    const { admin, levels } = this.context;
    if (admin.get(name).length === 0) throw new ServerError("model_not_found", `Model not found: ${name}`);
    const level = new URLSearchParams(query).get("level") ?? "";
    if (level !== "default" && !logLevels.includes(level as LogLevel)) {
      const words = `level is ${JSON.stringify(level.slice(0, 64))}; expected ${logLevels.join(", ")} or default`;
      throw new ServerError("bad_request", words);
    }
    const given = level === "default" ? undefined : (level as LogLevel);
    levels.set(name, given, (each) => admin.get(each).length > 0);
    return status(200, `Log level of model "${name}" is "${levels.of(name)}"`);
  }

  async unregister(name: string, version: string): Promise<ManagementAnswer> {
    this.allowModelApi();
    const gone = await this.context.admin.unregister(name, version === "" ? undefined : version);
    if (!gone) throw new ServerError("unload_timeout", `Timed out while cleaning resources: ${name}`);
    return status(200, `Model "${name}" unregistered`);
  }

  /** Throws method_not_allowed while registering and unregistering are switched off. */
  allowModelApi(): void {
    if (this.context.modelApi) return;
    const hint = " POST and DELETE on /models need --enable-model-api.";
    throw new ServerError("method_not_allowed", notAllowed + (this.context.compat === "torchserve" ? "" : hint));
  }

  private instancesOf({ name, version }: ModelEntry): number {
    return this.context.engine.stats().find((each) => each.name === name && each.version === version)?.instances ?? 0;
  }
}

function status(code: number, text: string): ManagementAnswer & { readonly body: { readonly status: string } } {
  return { status: code, body: { status: text } };
}

const processing = status(202, "Processing worker updates...");

function registered({ name, version }: ModelEntry, workers: number): string {
  const words = `Model "${name}" Version: ${version} registered with ${workers} initial workers`;
  return workers === 0 ? `${words}. Use scale workers API to add workers for the model.` : words;
}

function registerRequest(given: Parameters, compat: Compat): RegisterRequest {
  const url = given.get("url");
  if (url === undefined) throw new ServerError("bad_request", "Parameter url is required.");
  const runtime = given.get("runtime");
  if (runtime !== undefined && !runtimes.includes(runtime)) {
    throw new ServerError("bad_request", `Invalid RuntimeType value: ${runtime}`);
  }
  const seconds = wholeNumber(given, "response_timeout", 1, maxSeconds);
  const workers = wholeNumber(given, "initial_workers", 0, maxWorkers);
  const most = wholeNumber(given, "max_worker", 1, maxWorkers);
  if (most !== undefined && workers !== undefined && most < workers) {
    throw new ServerError("bad_request", "max_worker cannot be less than initial_workers.");
  }
  const startup = wholeNumber(given, "startup_timeout", 0, maxSeconds);
  if (startup === 0 && workers !== undefined && workers > 0) {
    throw new ServerError(faultOf(compat), "startup_timeout is 0; no worker starts in no time. Give it seconds.");
  }
  return {
    url,
    ...present("name", given.get("model_name")),
    ...present("handler", given.get("handler")),
    ...present("batchSize", wholeNumber(given, "batch_size", 1, maxBatchSize)),
    ...present("maxBatchDelayMs", wholeNumber(given, "max_batch_delay", 0, maxDelayMs)),
    ...present("responseTimeoutMs", seconds === undefined ? undefined : seconds * 1000),
    ...(startup === undefined || startup === 0 ? {} : { startupTimeoutMs: startup * 1000 }),
    ...present("workers", workers),
    ...present("maxWorkers", most),
    wait: truth(given, "synchronous", true),
  };
}

type Compat = ManagementContext["compat"];

/** TorchServe answers 500 to numbers that make it stumble. */
function faultOf(compat: Compat): "internal" | "bad_request" {
  return compat === "torchserve" ? "internal" : "bad_request";
}

function workersOf(given: Parameters, compat: Compat): Workers {
  for (const name of ["min_worker", "max_worker"]) {
    if (/^\s*-\s*[0-9]+\s*$/.test(given.get(name) ?? "")) {
      const code = name === "min_worker" ? faultOf(compat) : "bad_request";
      throw new ServerError(code, `${name} is ${given.get(name) ?? ""}; it cannot be negative.`);
    }
  }
  const min = wholeNumber(given, "min_worker", 0, maxWorkers) ?? 1;
  const max = wholeNumber(given, "max_worker", 0, maxWorkers) ?? min;
  if (max < min) throw new ServerError("bad_request", "max_worker cannot be less than min_worker.");
  return { min, max };
}

/** {key: value}, or nothing for no value or no text. */
function present<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined || value === "" ? {} : ({ [key]: value } as Record<K, V>);
}
