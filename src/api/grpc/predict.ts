/**
 * A prediction asked for by gRPC → a call of the pipeline → its outcome. The client's deadline and the model's
 * `responseTimeout` go into the queue; a client that leaves is dropped there.
 * Thread: the gRPC thread; one Predictor and one pipeline on it.
 */

import { type ErrorCode, errorRow, ServerError } from "../../errors.js";
import type { CleanHead } from "../../inference/answer-head.js";
import { type Call, InputFormat, OutputFormat, type Route } from "../../inference/call.js";
import {
  inputFormat,
  Memo,
  parseAccept,
  readableTypes,
  readAs,
  type ReadAs,
  writableTypes,
} from "../../inference/negotiate.js";
import type { Pipeline } from "../../inference/pipeline.js";
import { missingModel, type Refusal, tooLate } from "../../inference/refusals.js";
import { PlainRequest } from "../../inference/request.js";
import type { ModelEntry } from "../../models/models.js";
import type { RpcCall } from "../../rpc.js";
import { bodyOf, partsOf, servedBody } from "./input.js";
import type { PredictionsRequest } from "./messages.js";

export interface PredictorContext {
  readonly pipeline: Pipeline;
  /** Registered versions of a name that are not being served. */
  readonly unready: (name: string) => readonly ModelEntry[];
  /** Calls `go` once the load that holds a request up is over; returns how to leave before. Undefined: nothing holds it up. */
  readonly loadWait?: (
    asked: { readonly name: string; readonly version: string },
    go: () => boolean,
  ) => (() => void) | undefined;
  readonly report: (level: "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Another way to say an error, for `--compat torchserve`. Undefined: it is said as it is. */
  readonly words?: (code: ErrorCode, asked: { readonly name: string; readonly version: string }) => Refusal | undefined;
}

/** Told once: the answer or why there is none. Not after `cancel`. */
export interface Outcome {
  answered(model: string, prediction: Uint8Array): void;
  failed(code: ErrorCode, message: string): void;
  /** Takes an answer in parts as it is made, and its end; absent: the parts are put together for `answered`. */
  readonly parts?: { part(model: string, bytes: Uint8Array): void; ended(): void };
}

/** Bytes of an answer that a handler makes in parts, where the client takes it as a whole. */
const maxCollected = 64 << 20;
/** Bytes of a handler's answer that say why it failed. */
const maxReason = 4096;

/** A prediction under way. */
export interface Running {
  /** The client is gone: nothing is told any more, and the engine drops the request when it gets to it. */
  cancel(): void;
}

/** A prediction that is ready to begin. */
export interface Launch {
  readonly route: Route;
  readonly rpc: RpcCall;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  readonly body: Uint8Array;
  /** For a handler. */
  readonly request: PredictionsRequest;
  readonly outcome: Outcome;
}

type Asked = Pick<PredictionsRequest, "model_name" | "model_version">;

interface Told extends Pick<Outcome, "failed"> {
  refused(error: ServerError): void;
}

function begun(begin: () => Running, told: Told): Running | undefined {
  try {
    return begin();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    told.refused(error);
    return undefined;
  }
}

/** Node's timers take no more. */
const maxTimerMs = 2_147_483_647;

export class Predictor {
  readonly context: PredictorContext;
  private readonly accepted = new Memo((accept: string) => parseAccept(accept) ?? -1);
  private readonly read = new Memo(readAs);
  private readonly free: number[] = [];
  private cookies = 0;

  constructor(context: PredictorContext) {
    this.context = context;
  }

  /** Starts it, once its model is loaded; a refusal is told to `outcome`. */
  start(request: PredictionsRequest, rpc: RpcCall, outcome: Outcome): Running | undefined {
    const refused = (error: ServerError): void => {
      const { code, message } = this.worded(request, error);
      outcome.failed(code, message);
    };
    return this.whenLoaded(request, { ...outcome, refused }, () => this.run(request, rpc, outcome));
  }

  /**
   * `begin` may throw a ServerError, which is told to `refused`. Whoever waits for a load and leaves, as by a deadline, is
   * forgotten.
   */
  whenLoaded(request: Asked, told: Told, begin: () => Running): Running | undefined {
    let running: Running | undefined;
    const leave = this.context.loadWait?.({ name: request.model_name, version: request.model_version }, () => {
      try {
        running = begun(begin, told);
      } catch (error) {
        // Nobody above catches it by now.
        const { stack } = error as Error;
        this.context.report("error", "a request failed", { model: request.model_name, code: "internal", error: stack });
        told.failed("internal", "The server failed; its log has the reason.");
      }
      return true;
    });
    if (leave === undefined) return begun(begin, told);
    return {
      cancel: () => {
        leave();
        running?.cancel();
      },
    };
  }

  worded(request: PredictionsRequest, { code, message }: Refusal): Refusal {
    const asked = { name: request.model_name, version: request.model_version };
    return this.context.words?.(code, asked) ?? { code, message };
  }

  /** Cookies that are not back yet; 0 when nothing is under way. */
  get inUse(): number {
    return this.cookies - this.free.length;
  }

  release(cookie: number): void {
    this.free.push(cookie);
  }

  private run(request: PredictionsRequest, rpc: RpcCall, outcome: Outcome): Running {
    const route = this.route(request.model_name, request.model_version);
    const { pre, serve } = route.handler;
    const how = this.inputType(rpc.header("x-sconce-content-type"), pre !== undefined || serve !== undefined);
    const output = this.outputType(rpc, route);
    const body = serve === undefined ? bodyOf(request.input, pre !== undefined) : servedBody(request.input);
    const input = inputFormat(how, body[0] ?? -1);
    return this.launch({ route, rpc, request, input, output, body, outcome });
  }

  /** Throws ServerError when nothing serves it. */
  route(name: string, version: string): Route {
    if (name === "") throw new ServerError("bad_request", "Parameter model_name is required.");
    const route = this.context.pipeline.route(name, version);
    if (route === undefined) throw refused(this.missing(name, version));
    return route;
  }

  /** Throws deadline_exceeded when it is too late to begin. */
  launch({ route, rpc, request, input, output, body, outcome }: Launch): Running {
    const remaining = rpc.remainingMs();
    if (remaining === 0) throw new ServerError("deadline_exceeded", "The call's deadline had passed when it arrived.");
    const cookie = this.free.pop() ?? this.cookies++;
    const running = new RunningCall(this, withDeadline(route, remaining), outcome, cookie, request, rpc);
    running.input = input;
    running.output = output;
    running.startTimer(route);
    this.context.pipeline.run(running, body);
    return running;
  }

  missing(name: string, version: string): Refusal {
    const { pipeline, unready } = this.context;
    return missingModel(name, version, unready(name), pipeline.knows(name));
  }

  private inputType(contentType: string, picture: boolean): Exclude<ReadAs, "unsupported" | "form"> {
    const how = this.read.get(contentType);
    if (how !== "unsupported" && how !== "form") return how;
    if (picture) return "raw";
    throw new ServerError("unsupported_media_type", `x-sconce-content-type is none of: ${readableTypes}.`);
  }

  private outputType(rpc: RpcCall, route: Route): OutputFormat {
    const output = this.accepted.get(rpc.header("x-sconce-accept"));
    const { post, serve, anyAccept } = route.handler;
    if (serve !== undefined || anyAccept === true) return output === -1 ? OutputFormat.json : output;
    const jsonOnly = post !== undefined;
    if (output !== -1 && (!jsonOnly || output === OutputFormat.json)) return output;
    const types = jsonOnly ? "application/json" : writableTypes;
    throw new ServerError("not_acceptable", `None of the types in x-sconce-accept can be written. Ask for: ${types}.`);
  }
}

/** The engine drops what waits beyond the earlier of both. */
function withDeadline(route: Route, remainingMs: number): Route {
  const limit = route.timeoutMs > 0 ? route.timeoutMs : Infinity;
  return remainingMs < limit ? { ...route, timeoutMs: Math.max(1, Math.ceil(remainingMs)), by: "server" } : route;
}

class RunningCall implements Call, Running {
  readonly cookie: number;
  readonly route: Route;
  input: InputFormat = InputFormat.json;
  output: OutputFormat = OutputFormat.json;
  over = false;
  private readonly predictor: Predictor;
  private readonly outcome: Outcome;
  private readonly asked: PredictionsRequest;
  private readonly rpc: RpcCall;
  private timer: NodeJS.Timeout | undefined;
  /** Of an answer in parts. */
  private model = "";
  private collected: Uint8Array[] = [];
  private size = 0;
  /** gRPC's own flow control queues what the client does not take yet; nothing is reported here. */
  drained: (() => void) | undefined;

  constructor(
    predictor: Predictor,
    route: Route,
    outcome: Outcome,
    cookie: number,
    asked: PredictionsRequest,
    rpc: RpcCall,
  ) {
    this.predictor = predictor;
    this.route = route;
    this.outcome = outcome;
    this.cookie = cookie;
    this.asked = asked;
    this.rpc = rpc;
  }

  request(body: Uint8Array): PlainRequest {
    const parts = partsOf(this.asked.input);
    const [lone] = parts.length === 1 ? parts : [];
    return new PlainRequest({
      id: this.rpc.header("x-request-id"),
      body,
      ...(lone === undefined ? {} : { bodyName: lone.name }),
      contentType: this.rpc.header("x-sconce-content-type"),
      accept: this.rpc.header("x-sconce-accept"),
      parts: lone === undefined ? parts : undefined,
      headers: this.route.handler.wantsHeaders === true ? this.rpc.headers() : {},
      parameters: {},
      urlPath: "",
      explains: false,
    });
  }

  /** A batch that runs is not interrupted: the client is told in time all the same. */
  startTimer(route: Route): void {
    if (route.timeoutMs <= 0) return;
    const late = (): void => {
      const { code, message } = tooLate(route);
      this.cancel();
      this.outcome.failed(code, message);
    };
    this.timer = setTimeout(late, Math.min(route.timeoutMs, maxTimerMs));
  }

  cancel(): void {
    if (this.over) return;
    this.finish();
    this.predictor.context.pipeline.cancel(this);
  }

  held(): void {
    // The cookie is taken from the start.
  }
  released(): void {
    this.predictor.release(this.cookie);
  }
  answer(model: string, body: string | ArrayBuffer | Uint8Array): void {
    if (this.over) return;
    this.finish();
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    this.outcome.answered(model, bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  }
  /** A status that says it failed is the call's, with the handler's words. */
  reply(model: string, { status }: CleanHead, body: string | Uint8Array): void {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (status < 400) this.answer(model, bytes);
    else if (!this.over) {
      this.finish();
      this.outcome.failed(codeOf(status), reasonOf(bytes));
    }
  }
  open(model: string): boolean {
    this.model = model;
    return !this.over;
  }
  part(bytes: Uint8Array): boolean {
    if (this.over) return true;
    this.timer?.refresh();
    this.size += bytes.length;
    if (this.outcome.parts !== undefined) this.outcome.parts.part(this.model, bytes);
    else if (this.size <= maxCollected) this.collected.push(bytes);
    else this.fail("bad_output", `The answer has more than ${maxCollected} bytes: ask for it by StreamPredictions.`);
    return true;
  }
  end(): void {
    if (this.outcome.parts === undefined) this.answer(this.model, Buffer.concat(this.collected));
    else if (!this.over) {
      this.finish();
      this.outcome.parts.ended();
    }
  }
  fail(code: ErrorCode, message: string, cause?: unknown): void {
    if (this.over) return;
    this.finish();
    this.log(code, message, cause);
    const { name, version } = this.route;
    const gone = code === "model_not_found" || code === "version_not_found";
    const told = gone
      ? this.predictor.missing(name, version)
      : code === "deadline_exceeded"
        ? tooLate(this.route)
        : { code, message };
    const said = this.predictor.worded(this.asked, told);
    this.outcome.failed(said.code, said.message);
  }

  private log(code: ErrorCode, message: string, cause: unknown): void {
    if (code !== "internal" && cause === undefined) return;
    const error =
      cause instanceof Error ? (cause.stack ?? cause.message) : cause === undefined ? message : JSON.stringify(cause);
    this.predictor.context.report("error", "a request failed", { model: this.route.name, code, error });
  }

  private finish(): void {
    this.over = true;
    clearTimeout(this.timer);
  }
}

/** What an HTTP status of a handler's own is called here. */
function codeOf(status: number): ErrorCode {
  const [found] = ownCodes.filter((each) => errorRow(each).http === status);
  return found ?? (status < 500 ? "bad_request" : "model_error");
}

const ownCodes: readonly ErrorCode[] = ["conflict", "payload_too_large", "prediction_failed"];

/** The `message` of an error in JSON, as REST's clients get it; else the body as it is. */
function reasonOf(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, maxReason));
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}

function refused({ code, message }: Refusal): ServerError {
  return new ServerError(code, message);
}
