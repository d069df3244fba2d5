/**
 * SageMaker's multi-model API: the service loads, lists and unloads models by JSON on the inference port. Thread: main.
 *
 *   POST   /models          {"model_name": "…", "url": "/opt/ml/models/…/model"}: 200 once it serves; 409 when it is there,
 *                           507 when memory does not suffice, upon which the service unloads others and asks again
 *   GET    /models          {"models": [{"modelName", "modelUrl"}], "nextPageToken"?}
 *   GET    /models/{name}   {"modelName", "modelUrl"}
 *   DELETE /models/{name}   200 once its last request has ended and its memory is free
 *
 * Predictions, POST /models/{name}/invoke, are answered where requests come in.
 */
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ServerError } from "../../errors.js";
import { isModelName } from "../../inference/path.js";
import type { ModelAdmin, ModelEntry } from "../../models/models.js";
import type { Exchange } from "../../wire.js";
import { type Action, type ActionContext, ActionDialect } from "./action-dialect.js";
import { listModels } from "./describe.js";
import type { ManagementAnswer } from "./management.js";
import { parsePath } from "./paths.js";
import { refuseTarget } from "./routes.js";

export interface MultiModelContext extends ActionContext {
  readonly admin: ModelAdmin;
  /** Folder that the models lie in. */
  readonly root: string;
  /** Instances of a model whose archive names no number. */
  readonly workers: number;
}

/** Bytes of a request to load a model. */
const maxBody = 64 * 1024;

export class MultiModelDialect extends ActionDialect {
  readonly readsPostQuery = true;
  private readonly context: MultiModelContext;

  constructor(context: MultiModelContext) {
    super(context);
    this.context = context;
  }

  head(exchange: Exchange): void {
    exchange.attachment = undefined;
    const target = parsePath(exchange.path);
    const { method, query } = exchange;
    const reads = method === "GET" || method === "HEAD";
    const later = (action: Action): void => this.later(exchange, action);
    if (target.kind === "models") {
      if (reads) later(() => this.list(query));
      else if (method === "POST") later((body) => this.load(body));
      else this.refuseVerb(exchange, "GET, POST");
    } else if (target.kind === "model" && target.version === "") {
      if (reads) later(() => ({ status: 200, body: shown(this.find(target.name)) }));
      else if (method === "DELETE") later(() => this.unload(target.name));
      else this.refuseVerb(exchange, "GET, DELETE");
    } else refuseTarget(exchange, target.kind === "model" ? { kind: "unknown" } : target);
  }

  private async load(body: Uint8Array): Promise<ManagementAnswer> {
    const { name, path } = this.asked(body);
    if (this.context.admin.get(name).length > 0) {
      throw new ServerError("conflict", `Model ${name} is loaded already.`);
    }
    await this.context.admin.register({
      url: pathToFileURL(path).href,
      name,
      workers: this.context.workers,
      wait: true,
    });
    return { status: 200, body: { status: `Model "${name}" loaded` } };
  }

  private asked(body: Uint8Array): { readonly name: string; readonly path: string } {
    const expected = `expected {"model_name": "…", "url": "${this.context.root}/…"}`;
    const { model_name: name, url } = parsed(body, expected);
    if (typeof name !== "string" || typeof url !== "string") throw new ServerError("bad_request", `${expected}.`);
    if (!isModelName(name)) {
      const words = `model_name is ${JSON.stringify(name.slice(0, 128))}; letters, digits, ".", "_" and "-" make one.`;
      throw new ServerError("bad_request", words);
    }
    const root = resolve(this.context.root);
    const inside = relative(root, resolve(url));
    const strays = inside === "" || inside.startsWith("..") || isAbsolute(inside) || url.split("/").includes("..");
    if (!isAbsolute(url) || strays) {
      throw new ServerError("bad_request", `url is no folder below ${root} (--multi-model-root).`);
    }
    return { name, path: resolve(url) };
  }

  private list(query: string): ManagementAnswer {
    const page = listModels(this.serving(), query) as { readonly models: readonly { readonly modelName: string }[] };
    return { status: 200, body: { ...page, models: page.models.map(({ modelName }) => shown(this.find(modelName))) } };
  }

  private async unload(name: string): Promise<ManagementAnswer> {
    this.find(name);
    const gone = await this.context.admin.unregister(name, undefined);
    if (!gone)
      throw new ServerError(
        "unload_timeout",
        `Requests of model ${name} have not ended within --unload-timeout; it is still unloading.`,
      );
    return { status: 200, body: { status: `Model "${name}" unloaded` } };
  }

  private serving(): readonly ModelEntry[] {
    return this.context.admin.list().filter(({ state }) => state === "ready");
  }

  private find(name: string): ModelEntry {
    const found = this.context.admin.get(name).find(({ state }) => state === "ready");
    if (found === undefined) throw new ServerError("model_not_found", `Model not found: ${name}`);
    return found;
  }
}

function parsed(body: Uint8Array, expected: string): Readonly<Record<string, unknown>> {
  if (body.byteLength > maxBody) {
    throw new ServerError("payload_too_large", `The body has ${body.byteLength} bytes; at most ${maxBody} are read.`);
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new ServerError("bad_request", `The body is no JSON object; ${expected}.`);
}

/** As the service named it. */
function shown({ name, url = "", spec }: ModelEntry): { readonly modelName: string; readonly modelUrl: string } {
  const place = url.startsWith("file:") ? fileURLToPath(url) : url;
  return { modelName: name, modelUrl: place === "" ? (spec?.source ?? "") : place };
}
