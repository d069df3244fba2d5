/**
 * TorchServe's REST API as dialects: one for the inference port (on every HTTP thread), one for management and one for
 * metrics (both on main). Verbs and paths are decided here, once; what they do stands in the files beside this one.
 */

import { ServerError } from "../../errors.js";
import type { HttpState } from "../../metrics/http-counters.js";
import { type Route, standsAlone } from "../../inference/call.js";
import type { Pipeline } from "../../inference/pipeline.js";
import { Memo } from "../../inference/negotiate.js";
import { isModelName } from "../../inference/path.js";
import type { Dialect, Exchange, WireError, WireErrorCode } from "../../wire.js";
import { errorBody, json, notAllowed, notFound, noWorkflows, prettyJson, sendError } from "./errors.js";
import { inferenceApi, metricsApi, predictionApi } from "./openapi.js";
import { readExplainSettings } from "./explanations.js";
import { type HostedRoutes, parseInferencePath, parsePath, type Target } from "./paths.js";
import { executionParameters } from "./execution-parameters.js";
import { ping } from "./ping.js";
import { plain, Predict, type PredictContext } from "./predict.js";

const reading = "GET, HEAD";
const predicting = "POST, PUT, OPTIONS";
/** Whether the process answers, as KServe v1 has it. */
const alive = { status: "alive" };

type Asking = Extract<Target, { readonly kind: "predict" | "explain" }>;

/** A path as this thread remembers it. */
interface Known {
  readonly target: Target;
  route: Route | undefined;
}

export interface InferenceContext extends PredictContext, HostedRoutes {
  /** The server's. */
  readonly version: string;
  /** What stands before every path; "": nothing. */
  readonly basePath: string;
  /** The name of the only model there is or will be; undefined when there are more, or none. */
  readonly onlyName: () => string | undefined;
}

/** Of SageMaker's path: the model that the query names. During `Dialect.head`. */
export function invokedName(exchange: Exchange): string | undefined {
  return new URLSearchParams(exchange.details(false).query).get("model_name") ?? undefined;
}

/** The inference port. */
export class InferenceDialect implements Dialect {
  private readonly predict: Predict;
  private readonly pipeline: Pipeline;
  private readonly paths: Memo<Known>;

  private readonly state: HttpState;
  private readonly compat: "torchserve" | "sconce";
  private readonly description: unknown;
  private readonly transform: unknown;
  private readonly base: string;
  private readonly onlyName: () => string | undefined;

  constructor(context: InferenceContext, state: HttpState) {
    this.state = state;
    this.paths = new Memo((path) => ({ target: parseInferencePath(path, context), route: undefined }), 4096);
    this.predict = new Predict(context);
    this.pipeline = context.pipeline;
    this.compat = context.compat;
    this.base = context.basePath;
    this.onlyName = context.onlyName;
    this.description = inferenceApi(context.version, context.basePath);
    this.transform = executionParameters(context.maxRequestSize);
  }

  /** A handler was announced or withdrawn: what paths mean may have changed. */
  forget(): void {
    this.paths.clear();
  }

  head(exchange: Exchange): void {
    const known = this.paths.get(exchange.path);
    if (known.target.kind === "predict" || known.target.kind === "explain") this.asked(exchange, known, known.target);
    else if (known.target.kind === "invocations") this.invocations(exchange);
    else this.other(exchange, known.target);
  }

  /** Whether this path of another protocol is one of a model that answers by itself, in whatever form it likes. */
  serves(path: string): boolean {
    const known = this.paths.get(path);
    if (known.target.kind !== "predict" && known.target.kind !== "explain") return false;
    const { name, version } = known.target;
    const { handler } = (known.route ??= this.pipeline.route(name, version)) ?? {};
    return handler !== undefined && standsAlone(handler);
  }

  /** Of SageMaker: the model of the query, else the only one there is. */
  private invocations(exchange: Exchange): void {
    const name = invokedName(exchange) ?? this.onlyName();
    if (name === undefined) sendError(exchange, "bad_request", "Parameter model_name is required.");
    else if (!isModelName(name)) refuseTarget(exchange, { kind: "badName", name });
    else {
      const target = { kind: "predict", name, version: "", rest: "", queryIsInput: true } as const;
      this.asked(exchange, { target, route: undefined }, target);
    }
  }

  private asked(exchange: Exchange, known: Known, target: Asking): void {
    if (target.rest !== "" && this.pipeline.route(target.name, target.version)?.handler.serve === undefined) {
      refuseTarget(exchange, { kind: "unknown" });
      return;
    }
    if (exchange.method !== "POST" && exchange.method !== "PUT" && !this.takesVerb(exchange.method)) {
      this.verb(exchange, target.name, target.version);
      return;
    }
    const model = (known.route ??= this.pipeline.route(target.name, target.version));
    if (model === undefined) {
      this.predict.missing(exchange, target.name, target.version);
      return;
    }
    const { rest, queryIsInput } = target;
    if (target.kind === "explain") this.explain(exchange, model, rest);
    else {
      const usual = rest === "" && queryIsInput === undefined;
      const asked = { urlPath: rest, explains: false, queryIsInput: queryIsInput === true };
      this.predict.head(exchange, model, usual ? plain : asked);
    }
  }

  private explain(exchange: Exchange, model: Route, urlPath: string): void {
    // A handler that answers by itself explains by itself, too, unless it can say what the model gets.
    if (model.handler.serve !== undefined && model.handler.pre === undefined) {
      this.predict.head(exchange, model, { urlPath, explains: true });
      return;
    }
    try {
      const explain = readExplainSettings(exchange.details(false).query, model.handler.spec);
      this.predict.head(exchange, model, { urlPath, explain, explains: true });
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      sendError(exchange, error.code, error.message);
    }
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    this.predict.body(exchange, chunk);
  }
  aborted(exchange: Exchange): void {
    this.predict.aborted(exchange);
  }
  expired(exchange: Exchange): void {
    this.predict.expired(exchange);
  }
  error(code: WireErrorCode, message: string): WireError {
    // TorchServe's 413 comes from its HTTP layer, with nothing in it.
    const bare = code === "payload_too_large" && this.compat === "torchserve";
    return bare ? { status: 413, body: "", contentType: "" } : errorBody(code, message);
  }

  /** TorchServe predicts whatever the verb. */
  private takesVerb(method: string): boolean {
    return this.compat === "torchserve" && method !== "OPTIONS";
  }

  private other(exchange: Exchange, target: Target): void {
    const { health, draining } = this.state;
    if (target.kind === "ping") onlyReading(exchange, () => reply(exchange, ping(health, draining, this.compat)));
    else if (target.kind === "executionParameters") onlyReading(exchange, () => sendDocument(exchange, this.transform));
    else if (describesApi(exchange, target)) sendDocument(exchange, this.description);
    else if (this.compat === "sconce" && target.kind === "root")
      onlyReading(exchange, () => sendDocument(exchange, alive));
    else if (this.compat === "sconce" && target.kind === "modelReady") this.ready(exchange, target.name);
    else refuseTarget(exchange, target);
  }

  /** Of KServe v1; in TorchServe on the management port alone. */
  private ready(exchange: Exchange, name: string): void {
    onlyReading(exchange, () => {
      if (this.pipeline.route(name, "") === undefined) this.predict.missing(exchange, name, "");
      else sendDocument(exchange, { name, ready: true });
    });
  }

  private verb(exchange: Exchange, name: string, version: string): void {
    if (exchange.method !== "OPTIONS") {
      sendError(exchange, "method_not_allowed", notAllowed, [["allow", predicting]]);
      return;
    }
    const known = this.pipeline.route(name, version) !== undefined;
    if (!known) {
      this.predict.missing(exchange, name, version);
      return;
    }
    exchange.refuse(200, json, prettyJson(predictionApi(name, this.base)), [["allow", predicting]]);
  }
}

/** Ports whose answers are made from what main knows: nothing waits for the engine there. */
export abstract class MainDialect implements Dialect {
  abstract head(exchange: Exchange): void;
  body(exchange: Exchange, _chunk: ArrayBuffer | undefined): void {
    sendError(exchange, "not_found", notFound);
  }
  aborted(): void {
    // Nothing is under way for this client.
  }
  expired(exchange: Exchange): void {
    sendError(exchange, "deadline_exceeded", "No answer in time.");
  }
  error(code: WireErrorCode, message: string): { readonly status: number; readonly body: string } {
    return errorBody(code, message);
  }
}

/** Gives the exposition's text and its content type; of the named families only, when any is named. */
export type Scrape = (names: readonly string[]) => Promise<{ readonly contentType: string; readonly text: string }>;

/** Longest list of names that one scrape may filter by; what is beyond it is ignored. */
const maxNames = 256;

/** The metrics port. */
export class MetricsDialect extends MainDialect {
  private readonly scrape: Scrape | undefined;
  private readonly version: string;

  /** Without `scrape` there is no /metrics. */
  constructor(scrape: Scrape | undefined, version: string) {
    super();
    this.version = version;
    this.scrape = scrape;
  }

  head(exchange: Exchange): void {
    const target = parsePath(exchange.path);
    if (describesApi(exchange, target)) sendDocument(exchange, metricsApi(this.version));
    else if (target.kind !== "metrics" || this.scrape === undefined) refuseTarget(exchange, target);
    else if (exchange.method !== "GET" && exchange.method !== "HEAD") onlyReading(exchange, () => undefined);
  }

  /** After the (empty) body: the scrape is asynchronous. */
  override body(exchange: Exchange): void {
    if (this.scrape === undefined) return;
    exchange.hold();
    this.scrape(new URLSearchParams(exchange.query).getAll("name[]").slice(0, maxNames))
      .then(({ contentType, text }) => exchange.answer(200, contentType, text))
      .catch(() => sendError(exchange, "internal", "The metrics could not be collected; the log has the reason."))
      .finally(() => exchange.release());
  }
}

export function reply(exchange: Exchange, answer: { readonly status: number; readonly body: string }): void {
  exchange.refuse(answer.status, json, answer.body, answer.status === 503 ? [["retry-after", "1"]] : undefined);
}

export function onlyReading(exchange: Exchange, answer: () => void): void {
  if (exchange.method === "GET" || exchange.method === "HEAD") answer();
  else sendError(exchange, "method_not_allowed", notAllowed, [["allow", reading]]);
}

export function refuseTarget(exchange: Exchange, target: Target): void {
  if (target.kind === "bad") sendError(exchange, "bad_request", target.message);
  else if (target.kind === "badName")
    sendError(exchange, "model_not_found", `Model not found: ${target.name.slice(0, 128)}`);
  else if (target.kind === "badVersion") {
    const words = `Model version: ${target.version.slice(0, 128)} does not exist for model: ${target.name}`;
    sendError(exchange, "version_not_found", words);
  } else if (target.kind === "root") sendError(exchange, "method_not_allowed", notAllowed, [["allow", "OPTIONS"]]);
  else sendError(exchange, "not_found", target.kind === "workflows" ? noWorkflows : notFound);
}

/** What TorchServe answers with its OpenAPI document. */
export function describesApi({ method }: Exchange, { kind }: Target): boolean {
  return kind === "apiDescription" || (kind === "root" && method === "OPTIONS");
}

export function sendDocument(exchange: Exchange, document: unknown): void {
  exchange.refuse(200, json, prettyJson(document));
}
