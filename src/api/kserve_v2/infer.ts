/**
 * `POST /v2/models/{m}[/versions/{v}]/infer`: a body of JSON, or of JSON and tensors' bytes, → a call of the pipeline → an
 * answer of the same kind. The protocol speaks tensors: they go to the model itself, past its handler.
 * Thread: one per HTTP thread. Each exchange slot keeps its V2Call, so a request allocates none.
 */

import { type ErrorCode, ServerError } from "../../errors.js";
import {
  type Call,
  InputFormat,
  maxV2Json,
  OutputFormat,
  type Route,
  standsAlone,
  v2Input,
} from "../../inference/call.js";
import { encodingOf, inflateBody, type InflateLimits } from "../../inference/inflate.js";
import type { Pipeline } from "../../inference/pipeline.js";
import { missingModel, servedElsewhere, tooLate } from "../../inference/refusals.js";
import { PlainRequest } from "../../inference/request.js";
import { readAnswer } from "../../inference/v2-answer.js";
import type { ModelEntry } from "../../models/models.js";
import type { Exchange } from "../../wire.js";
import { json, sendError } from "./errors.js";
import type { Named } from "./paths.js";

/** Says how long the JSON is, in requests and answers. */
const lengthHeader = "inference-header-content-length";

const handlerAnswer = "A handler answered a request that speaks tensors.";

export interface InferContext extends InflateLimits {
  readonly pipeline: Pipeline;
  /** Registered versions of a name that are not being served. */
  readonly unready: (name: string) => readonly ModelEntry[];
  readonly report: (level: "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Bytes of an answer's body. */
  readonly maxResponseSize: number;
}

export class V2Call implements Call {
  route!: Route;
  input: InputFormat = InputFormat.v2;
  readonly output = OutputFormat.v2;
  over = false;
  drained: (() => void) | undefined = undefined;
  readonly cookie: number;
  readonly exchange: Exchange;
  private readonly infer: Infer;

  constructor(exchange: Exchange, infer: Infer) {
    this.exchange = exchange;
    this.infer = infer;
    this.cookie = exchange.cookie;
  }

  request(body: Uint8Array): PlainRequest {
    const { requestId: id, contentType, accept } = this.exchange;
    const none = { parts: undefined, headers: {}, parameters: {}, urlPath: "", explains: false };
    return new PlainRequest({ id, body, contentType, accept, ...none });
  }
  held(): void {
    this.exchange.hold();
  }
  released(): void {
    this.exchange.release();
  }
  answer(model: string, body: string | ArrayBuffer): void {
    this.infer.answer(this, model, body);
  }
  fail(code: ErrorCode, message: string, cause?: unknown): void {
    this.infer.failed(this, code, message, cause);
  }

  // What handlers answer by themselves is not of this protocol: such models are refused before they are asked.
  reply(): void {
    this.fail("internal", handlerAnswer);
  }
  open(): boolean {
    this.fail("internal", handlerAnswer);
    return false;
  }
  part(): boolean {
    return true;
  }
  end(): void {
    this.over = true;
  }
}

export class Infer {
  private readonly context: InferContext;

  constructor(context: InferContext) {
    this.context = context;
  }

  /** What a path's model is on this thread. */
  route(model: Named): Route | undefined {
    const route = this.context.pipeline.route(model.name, model.version);
    if (route === undefined) return undefined;
    const { handler } = route;
    // Tensors are for the model itself, whatever its handler makes of other requests.
    const serve = standsAlone(handler) ? handler.serve : undefined;
    return { ...route, handler: { ...handler, pre: undefined, post: undefined, serve } };
  }

  head(exchange: Exchange, route: Route): void {
    if (route.handler.serve !== undefined) {
      sendError(exchange, "bad_request", servedElsewhere(route.name));
      return;
    }
    if (exchange.contentEncoding !== "" && encodingOf(exchange.contentEncoding) === "unsupported") {
      sendError(exchange, "unsupported_media_type", "Content-Encoding must be gzip, deflate or identity, one only.");
      return;
    }
    const length = exchange.header(lengthHeader);
    const jsonBytes = length === "" ? 0 : Number(length);
    if (length !== "" && !(/^[0-9]{1,9}$/.test(length) && jsonBytes > 0 && jsonBytes <= maxV2Json)) {
      sendError(
        exchange,
        "bad_request",
        `Inference-Header-Content-Length must be a number of 1 to ${maxV2Json} bytes.`,
      );
      return;
    }
    const call = exchange.attachment instanceof V2Call ? exchange.attachment : new V2Call(exchange, this);
    exchange.attachment = call;
    call.route = route;
    call.input = v2Input(jsonBytes);
    call.over = false;
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    const call = exchange.attachment as V2Call;
    if (call.route.timeoutMs > 0) exchange.expireAfter(call.route.timeoutMs);
    const encoding = encodingOf(exchange.contentEncoding);
    if (encoding === "gzip" || encoding === "deflate") return void this.inflate(call, chunk, encoding);
    if (chunk === undefined) this.context.pipeline.runGathered(call);
    else this.context.pipeline.run(call, chunk);
  }

  /** The bytes are copied out of the socket's buffer first: the work is asynchronous. */
  private async inflate(call: V2Call, chunk: ArrayBuffer | undefined, encoding: "gzip" | "deflate"): Promise<void> {
    const bytes = new Uint8Array(chunk?.slice(0) ?? this.context.pipeline.channel.bodyTake(call.cookie));
    call.held();
    try {
      const plain = await inflateBody(bytes, encoding, this.context);
      if (call.over) call.released();
      else this.context.pipeline.run(call, plain);
    } catch (error) {
      if (error instanceof ServerError) call.fail(error.code, error.message);
      else call.fail("internal", "The body could not be read.", error);
      call.released();
    }
  }

  end(exchange: Exchange): void {
    const call = exchange.attachment;
    if (!(call instanceof V2Call)) return;
    call.over = true;
    this.context.pipeline.cancel(call);
  }

  expired(exchange: Exchange): void {
    const call = exchange.attachment;
    if (!(call instanceof V2Call)) return;
    this.late(call);
    this.end(exchange);
  }

  answer(call: V2Call, model: string, packed: string | ArrayBuffer): void {
    const size = typeof packed === "string" ? packed.length : packed.byteLength;
    const { maxResponseSize } = this.context;
    if (size > maxResponseSize) {
      const words = `The answer has ${size} bytes, more than the ${maxResponseSize} that --max-response-size allows.`;
      this.failed(call, "bad_output", words, undefined);
      return;
    }
    const named = `x-sconce-model: ${model}`;
    const { jsonBytes, body } = readAnswer(packed);
    if (jsonBytes === undefined) call.exchange.answer(200, `${json}\r\n${named}`, body);
    else {
      const headers = [[lengthHeader, String(jsonBytes)]] as const;
      call.exchange.answer(200, `application/octet-stream\r\n${named}`, body, headers);
    }
  }

  failed(call: V2Call, code: ErrorCode, message: string, cause: unknown): void {
    const { exchange, route } = call;
    if (code === "internal" || cause !== undefined) {
      const error = cause instanceof Error ? (cause.stack ?? cause.message) : message;
      this.context.report("error", "a request failed", { model: route.name, code, error });
    }
    if (code === "model_not_found" || code === "version_not_found") this.missing(exchange, route);
    else if (code === "deadline_exceeded") this.late(call);
    else sendError(exchange, code, message);
  }

  private late({ exchange, route }: V2Call): void {
    const { code, message } = tooLate(route);
    sendError(exchange, code, message);
  }

  /** Nothing serves this name or version: say whether it is unknown, on its way or broken. */
  missing(exchange: Exchange, { name, version }: Named): void {
    const { unready, pipeline } = this.context;
    const { code, message } = missingModel(name, version, unready(name), pipeline.knows(name));
    sendError(exchange, code, message);
  }
}
