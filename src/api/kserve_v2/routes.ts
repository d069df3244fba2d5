/**
 * The Open Inference Protocol (KServe v2) over HTTP, on the inference port: health, metadata and inference. Paths and verbs
 * are decided here, once. Thread: one per HTTP thread.
 */

import type { Route } from "../../inference/call.js";
import { Memo } from "../../inference/negotiate.js";
import { extensions, modelMetadata } from "../../inference/v2-words.js";
import { isServing } from "../../models/health.js";
import type { ModelStats } from "../../inference/triton.js";
import { ServerError } from "../../errors.js";
import {
  managedElsewhere,
  noSettings,
  noSharedMemory,
  repositoryIndex,
  statisticsOf,
  tritonConfig,
  tritonStatistics,
} from "../../inference/triton.js";
import type { Health, ModelEntry } from "../../models/models.js";
import type { Dialect, Exchange, WireError, WireErrorCode } from "../../wire.js";
import { errorBody, json, sendError } from "./errors.js";
import { Infer, type InferContext } from "./infer.js";
import { type Named, parsePath, type Target } from "./paths.js";

export interface V2Context extends InferContext {
  /** The engine's figures. */
  readonly stats: () => readonly ModelStats[];
  /** Registered versions that are not being served. */
  readonly allUnready: () => readonly ModelEntry[];
  /** The server's. */
  readonly version: string;
}

/** A path as this thread remembers it. */
interface Known {
  readonly target: Target;
  route: Route | undefined;
}

export class V2Dialect implements Dialect {
  private readonly context: V2Context;
  private readonly state: { readonly health: Health; readonly draining: boolean };
  private readonly infer: Infer;
  private readonly paths = new Memo<Known>((path) => ({ target: parsePath(path), route: undefined }), 4096);

  constructor(context: V2Context, state: V2Dialect["state"]) {
    this.context = context;
    this.state = state;
    this.infer = new Infer(context);
  }

  /** A model was announced or withdrawn: what paths mean may have changed. */
  forget(): void {
    this.paths.clear();
  }

  head(exchange: Exchange): void {
    const known = this.paths.get(exchange.path);
    const { target } = known;
    if (target.kind !== "infer") {
      this.other(exchange, target);
      return;
    }
    if (exchange.method !== "POST") {
      notAllowed(exchange, "POST");
      return;
    }
    const route = (known.route ??= this.infer.route(target));
    if (route === undefined) this.infer.missing(exchange, target);
    else this.infer.head(exchange, route);
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    this.infer.body(exchange, chunk);
  }
  aborted(exchange: Exchange): void {
    this.infer.end(exchange);
  }
  expired(exchange: Exchange): void {
    this.infer.expired(exchange);
  }
  error(code: WireErrorCode, message: string): WireError {
    return errorBody(code, message);
  }

  private other(exchange: Exchange, target: Exclude<Target, { kind: "infer" }>): void {
    if (target.kind === "bad") sendError(exchange, "bad_request", target.message);
    else if (target.kind === "badName") {
      sendError(exchange, "model_not_found", `Model not found: ${target.name.slice(0, 128)}`);
    } else if (target.kind === "unknown") {
      sendError(exchange, "not_found", "No such path in the Open Inference Protocol (v2).");
    } else if (target.kind === "repository") sendError(exchange, "bad_request", managedElsewhere);
    else if (target.kind === "sharedMemory") sendError(exchange, "not_implemented", noSharedMemory);
    else if (target.kind === "settings") sendError(exchange, "not_implemented", noSettings);
    else if (target.kind === "index") this.index(exchange);
    else if (exchange.method !== "GET" && exchange.method !== "HEAD") notAllowed(exchange, "GET, HEAD");
    else this.tell(exchange, target);
  }

  private tell(exchange: Exchange, target: Told): void {
    const { health, draining } = this.state;
    if (target.kind === "live") send(exchange, { live: true });
    else if (target.kind === "ready") sendReady(exchange, {}, isServing(health, draining));
    else if (target.kind === "metadata") this.metadata(exchange, target);
    else if (target.kind === "modelReady") this.modelReady(exchange, target);
    else if (target.kind === "config") this.config(exchange, target);
    else if (target.kind === "stats") this.stats(exchange, target);
    else if (target.kind === "allStats") send(exchange, { model_stats: this.context.stats().map(tritonStatistics) });
    else send(exchange, { name: "sconce", version: this.context.version, extensions });
  }

  private metadata(exchange: Exchange, model: Named): void {
    const about = this.context.pipeline.about(model.name, model.version);
    if (about === undefined) this.infer.missing(exchange, model);
    else send(exchange, modelMetadata(model.name, about));
  }

  private config(exchange: Exchange, { name, version }: Named): void {
    const about = this.context.pipeline.about(name, version);
    if (about === undefined) {
      this.infer.missing(exchange, { name, version });
      return;
    }
    const its = this.context.stats().find((each) => each.name === name && each.version === about.version);
    send(exchange, tritonConfig(name, about, its?.instances ?? 0));
  }

  private stats(exchange: Exchange, { name, version }: Named): void {
    if (this.context.pipeline.about(name, version) === undefined) this.infer.missing(exchange, { name, version });
    else {
      try {
        send(exchange, { model_stats: [statisticsOf(this.context.stats(), name, version)] });
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        sendError(exchange, error.code, error.message);
      }
    }
  }

  private index(exchange: Exchange): void {
    if (exchange.method !== "POST") notAllowed(exchange, "POST");
    else send(exchange, repositoryIndex(this.context.pipeline.routed(), this.context.allUnready()));
  }

  private modelReady(exchange: Exchange, { name, version }: Named): void {
    const known = this.context.pipeline.about(name, version) !== undefined;
    if (known) sendReady(exchange, { name }, !this.state.draining);
    else this.infer.missing(exchange, { name, version });
  }
}

type Told = Exclude<
  Target,
  { kind: "infer" | "bad" | "badName" | "unknown" | "repository" | "sharedMemory" | "settings" | "index" }
>;

function send(exchange: Exchange, answer: object): void {
  exchange.refuse(200, json, JSON.stringify(answer));
}

function sendReady(exchange: Exchange, about: object, ready: boolean): void {
  const body = JSON.stringify({ ...about, ready });
  if (ready) exchange.refuse(200, json, body);
  else exchange.refuse(503, json, body, [["retry-after", "1"]]);
}

function notAllowed(exchange: Exchange, verbs: string): void {
  sendError(exchange, "method_not_allowed", `This path takes ${verbs}.`, [["allow", verbs]]);
}
