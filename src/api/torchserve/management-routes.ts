/** TorchServe's management port: verbs and paths → what Management does → an answer. Thread: main. */
import { ServerError } from "../../errors.js";
import type { HttpState } from "../../metrics/http-counters.js";
import type { Exchange } from "../../wire.js";
import { type Action, type ActionContext, ActionDialect } from "./action-dialect.js";
import { json, prettyJson } from "./errors.js";
import { Management, type ManagementAnswer, type ManagementContext } from "./management.js";
import { parsePath, type Target } from "./paths.js";
import { type Parameters, readParameters } from "./parameters.js";
import { ping } from "./ping.js";
import { managementApi, modelApi } from "./openapi.js";
import { describesApi, onlyReading, refuseTarget, reply, sendDocument } from "./routes.js";

export interface ManagementPort extends ManagementContext, ActionContext {
  readonly state: HttpState;
  /** The server's, for the OpenAPI document. */
  readonly version: string;
  /** What stands before every path; "": nothing. */
  readonly basePath: string;
}

type ModelTarget = Extract<Target, { readonly kind: "model" }>;

const modelVerbs = "GET, PUT, DELETE, OPTIONS";
const listVerbs = "GET, POST";

export class ManagementDialect extends ActionDialect {
  readonly readsPostQuery = true;
  private readonly port: ManagementPort;
  private readonly management: Management;

  constructor(port: ManagementPort) {
    super(port);
    this.port = port;
    this.management = new Management(port);
  }

  head(exchange: Exchange): void {
    exchange.attachment = undefined;
    const target = parsePath(exchange.path);
    const { state } = this.port;
    if (target.kind === "ping")
      onlyReading(exchange, () => reply(exchange, ping(state.health, state.draining, this.port.compat)));
    else if (describesApi(exchange, target))
      sendDocument(exchange, managementApi(this.port.version, this.port.basePath));
    else if (target.kind === "models") this.models(exchange);
    else if (target.kind === "model") this.model(exchange, target);
    else if (target.kind === "setDefault") this.setDefault(exchange, target.name, target.version);
    else if (target.kind === "schema")
      onlyReading(exchange, () => this.now(exchange, () => this.management.schema(target.name, target.version)));
    else if (target.kind === "modelReady")
      onlyReading(exchange, () => this.now(exchange, () => this.management.ready(target.name)));
    else refuseTarget(exchange, target);
  }

  private models(exchange: Exchange): void {
    const { method, query, contentType } = exchange;
    if (method === "GET" || method === "HEAD") this.now(exchange, () => this.management.list(query));
    else if (method !== "POST") this.refuseVerb(exchange, listVerbs);
    else if (this.allowed(exchange)) {
      this.later(exchange, (body) => this.management.register(readParameters(query, contentType, body)));
    }
  }

  private model(exchange: Exchange, { name, version }: ModelTarget): void {
    const { method, query, contentType } = exchange;
    const later = (action: Action): void => this.later(exchange, action);
    if (method === "GET" || method === "HEAD") {
      later(() => this.management.describe(name, version, query));
    } else if (method === "PUT") {
      later((body) => this.management.scale(name, version, readParameters(query, contentType, body)));
    } else if (method === "OPTIONS") {
      this.now(exchange, () => ({ status: 200, body: modelApi(name, this.port.basePath) }));
    } else if (method === "DELETE") {
      if (this.allowed(exchange)) later(() => this.management.unregister(name, version));
    } else if (method === "POST" && version === "rollback") {
      later(() => this.management.rollback(name));
    } else if (method === "POST" && version === "log-level") {
      later(() => this.management.setLogLevel(name, query));
    } else {
      this.refuseVerb(exchange, modelVerbs);
    }
  }

  private setDefault(exchange: Exchange, name: string, version: string): void {
    if (exchange.method !== "PUT") this.refuseVerb(exchange, "PUT");
    else {
      const { query, contentType } = exchange;
      const given = (body: Uint8Array): Parameters => readParameters(query, contentType, body);
      this.later(exchange, (body) => this.management.setDefault(name, version, given(body)));
    }
  }

  /** Registering and unregistering are refused before a body is read. */
  private allowed(exchange: Exchange): boolean {
    try {
      this.management.allowModelApi();
      return true;
    } catch (error) {
      this.failed(exchange, error);
      return false;
    }
  }

  private now(exchange: Exchange, make: () => ManagementAnswer): void {
    try {
      const { status, body } = make();
      exchange.refuse(status, json, prettyJson(body));
    } catch (error) {
      this.failed(exchange, error);
    }
  }

  protected override failed(exchange: Exchange, error: unknown): void {
    const switchedOff = error instanceof ServerError && error.code === "method_not_allowed";
    super.failed(exchange, error, switchedOff ? [["allow", "GET, PUT"]] : undefined);
  }
}
