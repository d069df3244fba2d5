/**
 * `POST|PUT /predictions/{model}[/{version}]`: headers and bytes → a call of the pipeline → an answer.
 * Thread: one per HTTP thread. Each exchange slot keeps its PredictCall, so a request allocates none.
 */

import { type ErrorCode, ServerError } from "../../errors.js";
import type { CleanHead } from "../../inference/answer-head.js";
import {
  type Call,
  InputFormat,
  OutputFormat,
  type Part,
  type Route,
  type Handler,
  readsBytes,
} from "../../inference/call.js";
import { mayBeUrlEncoded, readForm, readMultipart, readUrlEncoded } from "../../inference/form.js";
import { type Encoding, encodingOf, inflateBody, type InflateLimits } from "../../inference/inflate.js";
import {
  contentTypeOf,
  inputFormat,
  Memo,
  parseAccept,
  prefersPng,
  type ReadAs,
  readableTypes,
  readAs,
  writableTypes,
} from "../../inference/negotiate.js";
import type { Pipeline } from "../../inference/pipeline.js";
import { missingModel, type Refusal, tooLate } from "../../inference/refusals.js";
import { parametersOf, PlainRequest } from "../../inference/request.js";
import type { ModelEntry } from "../../models/models.js";
import type { ExplainSettings } from "../../types.js";
import type { Exchange, RequestDetails } from "../../wire.js";
import { sendAsTorchServe } from "./compat.js";
import { json, sendError } from "./errors.js";

/** What a thread reports beside its answers. */
export type Report = (level: "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>) => void;

export interface PredictContext extends InflateLimits {
  readonly pipeline: Pipeline;
  /** Registered versions of a name that are not being served: loading, failed, unloading. */
  readonly unready: (name: string) => readonly ModelEntry[];
  readonly report: Report;
  readonly compat: "torchserve" | "sconce";
  /** Bytes of an answer's body. */
  readonly maxResponseSize: number;
}

/** A body as the model reads it: no form, not compressed. */
interface PlainInput {
  readonly bytes: Uint8Array;
  readonly how: Exclude<ReadAs, "unsupported" | "form">;
}

/** What a path asks for beside the model. */
export interface Asked {
  /** What follows the version. */
  readonly urlPath: string;
  /** An explanation instead of a prediction: how the engine makes it is in `explain`, unless the handler does. */
  readonly explains: boolean;
  readonly explain?: ExplainSettings;
  /** A handler that serves gets the query's parameters as inputs, before the body's. */
  readonly queryIsInput?: boolean;
}

export const plain: Asked = { urlPath: "", explains: false };

export class PredictCall implements Call {
  route!: Route;
  input: InputFormat = InputFormat.json;
  output: OutputFormat = OutputFormat.json;
  over = false;
  explain: ExplainSettings | undefined;
  how: Exclude<ReadAs, "unsupported"> = "json";
  /** Of requests that a handler looks at. */
  details: RequestDetails | undefined;
  asked: Asked = plain;
  parts: readonly Part[] | undefined;
  readonly cookie: number;

  readonly exchange: Exchange;
  private readonly predict: Predict;

  constructor(exchange: Exchange, predict: Predict) {
    this.exchange = exchange;
    this.predict = predict;
    this.cookie = exchange.cookie;
  }

  held(): void {
    this.exchange.hold();
  }
  released(): void {
    this.exchange.release();
  }
  answer(model: string, body: string | ArrayBuffer | Uint8Array, output: OutputFormat, contentType?: string): void {
    const size = typeof body === "string" ? body.length : body.byteLength;
    const block = contentType === undefined ? this.predict.block(model, output) : blockOf(contentType, model);
    if (size > this.predict.maxResponseSize) this.fail("bad_output", this.predict.tooLarge(size));
    else this.exchange.answer(200, block, body);
  }
  request(body: Uint8Array): PlainRequest {
    const { requestId: id, contentType, accept } = this.exchange;
    const { urlPath, explains, queryIsInput } = this.asked;
    const { query = "", headers = {} } = this.details ?? {};
    const { parts } = queryIsInput === true ? withQuery(query, this.parts, { body, contentType }) : this;
    return new PlainRequest({
      id,
      body,
      contentType,
      accept,
      parts,
      headers,
      parameters: parametersOf(query),
      urlPath,
      explains,
    });
  }
  reply(model: string, { status, contentType, headers }: CleanHead, body: string | Uint8Array): void {
    const size = typeof body === "string" ? body.length : body.byteLength;
    if (size > this.predict.maxResponseSize) this.fail("bad_output", this.predict.tooLarge(size));
    else this.exchange.answer(status, blockOf(contentType, model), body, headers);
  }

  open(model: string, { status, contentType, headers }: CleanHead): boolean {
    const { exchange } = this;
    exchange.drained = () => {
      this.waitForPart();
      this.drained?.();
    };
    if (!exchange.stream(status, blockOf(contentType, model), headers)) return false;
    this.waitForPart();
    return true;
  }
  part(bytes: Uint8Array): boolean {
    const taken = this.exchange.write(bytes);
    if (taken) this.waitForPart();
    return taken;
  }
  end(): void {
    this.exchange.endStream();
  }
  drained: (() => void) | undefined;

  /** Each part has the time that a whole answer has. */
  private waitForPart(): void {
    if (this.route.timeoutMs > 0) this.exchange.expireAfter(this.route.timeoutMs);
  }
  fail(code: ErrorCode, message: string, cause?: unknown): void {
    this.predict.failed(this, code, message, cause);
  }
}

export class Predict {
  private readonly accepted = new Memo((accept: string) => parseAccept(accept) ?? -1);
  private readonly read = new Memo(readAs);
  private readonly blocks: readonly Map<string, string>[] = [new Map(), new Map(), new Map(), new Map()];

  private readonly context: PredictContext;

  constructor(context: PredictContext) {
    this.context = context;
  }

  get maxResponseSize(): number {
    return this.context.maxResponseSize;
  }

  tooLarge(size: number): string {
    return `The answer has ${size} bytes, more than the ${this.maxResponseSize} that --max-response-size allows.`;
  }

  /** Headers are read: everything that can be refused without the body is. */
  head(exchange: Exchange, route: Route, asked: Asked = plain): void {
    const how = this.read.get(exchange.contentType);
    const { handler } = route;
    if (how === "unsupported" && !readsBytes(handler)) {
      this.unsupportedType(exchange);
      return;
    }
    if (exchange.contentEncoding !== "" && encodingOf(exchange.contentEncoding) === "unsupported") {
      sendError(exchange, "unsupported_media_type", "Content-Encoding must be gzip, deflate or identity, one only.");
      return;
    }
    const draws = asked.explain !== undefined && prefersPng(exchange.accept);
    // An explanation's numbers are the engine's, in any type that it writes.
    const own = asked.explain === undefined ? handler : undefined;
    const format = draws ? OutputFormat.tensors : this.outputOf(exchange, own);
    if (format === undefined) return;
    const call = this.start(exchange, route, how === "unsupported" ? "raw" : how, format);
    call.explain = draws ? { ...asked.explain, detail: false } : asked.explain;
    if (handler.post === undefined && !readsBytes(handler)) return;
    call.details = exchange.details(handler.wantsHeaders === true);
    call.asked = asked;
    call.parts = undefined;
  }

  /**
   * `handler`: who makes the answer; undefined: the engine. Undefined: the request was answered, as none of the types that
   * it takes can be written.
   */
  private outputOf(exchange: Exchange, handler: Handler | undefined): OutputFormat | undefined {
    const output = this.accepted.get(exchange.accept);
    const writable = output === -1 ? undefined : output;
    const makesJson = handler?.post !== undefined;
    if (handler?.serve !== undefined || handler?.anyAccept === true) return writable ?? OutputFormat.json;
    if (writable !== undefined && (!makesJson || writable === OutputFormat.json)) return writable;
    // Nobody looks at Accept in TorchServe, so its clients may ask for anything.
    if (this.context.compat === "torchserve") return OutputFormat.json;
    this.notAcceptable(exchange, output === -1 ? writableTypes : json);
    return undefined;
  }

  private start(exchange: Exchange, route: Route, how: PredictCall["how"], output: OutputFormat): PredictCall {
    const call = exchange.attachment instanceof PredictCall ? exchange.attachment : new PredictCall(exchange, this);
    exchange.attachment = call;
    call.route = route;
    call.output = output;
    call.how = how;
    call.over = false;
    return call;
  }

  body(exchange: Exchange, chunk: ArrayBuffer | undefined): void {
    const call = exchange.attachment as PredictCall;
    if (call.route.timeoutMs > 0) exchange.expireAfter(call.route.timeoutMs);
    const { contentEncoding, contentType, firstByte } = exchange;
    const form = call.how === "form" || (call.how === "sniff" && mayBeUrlEncoded(contentType, firstByte));
    if (form || contentEncoding !== "") {
      const encoding = encodingOf(contentEncoding);
      if (form || encoding === "gzip" || encoding === "deflate") return void this.unpack(call, chunk, encoding);
    }
    call.input = inputFormat(call.how === "form" ? "sniff" : call.how, firstByte);
    if (chunk === undefined) this.context.pipeline.runGathered(call);
    else this.context.pipeline.run(call, chunk);
  }

  /** Compressed bodies and forms. The bytes are copied out of the socket's buffer first: the work is asynchronous. */
  private async unpack(call: PredictCall, chunk: ArrayBuffer | undefined, encoding: Encoding): Promise<void> {
    const bytes = new Uint8Array(chunk?.slice(0) ?? this.context.pipeline.channel.bodyTake(call.cookie));
    const { contentType } = call.exchange;
    call.held();
    try {
      const packed = encoding === "gzip" || encoding === "deflate";
      const plain = packed ? await inflateBody(bytes, encoding, this.context) : bytes;
      const form = call.how === "form" || mayBeUrlEncoded(contentType, plain[0] ?? -1);
      const serves = call.route.handler.serve !== undefined;
      // The body is the handler's input alone then; an explanation may have its target in another field.
      if (call.asked.explains && !serves && form) call.parts = (await readForm(contentType, plain)).parts;
      const input = await (serves ? this.partsOf(call, contentType, plain) : this.inputOf(call, contentType, plain));
      if (call.over) {
        call.released();
        return;
      }
      call.input = inputFormat(input.how, input.bytes[0] ?? -1);
      this.context.pipeline.run(call, input.bytes);
    } catch (error) {
      if (error instanceof ServerError) call.fail(error.code, error.message);
      else call.fail("internal", "The body could not be read.", error);
      call.released();
    }
  }

  private async inputOf(call: PredictCall, contentType: string, bytes: Uint8Array): Promise<PlainInput> {
    const { how } = call;
    if (how !== "form") {
      const encoded = how === "sniff" && mayBeUrlEncoded(contentType, bytes[0] ?? -1);
      return encoded ? { bytes: readUrlEncoded(bytes).bytes, how } : { bytes, how };
    }
    const part = await readMultipart(contentType, bytes);
    if (part.how !== "form" && part.how !== "unsupported") return { bytes: part.bytes, how: part.how };
    if (call.route.handler.pre !== undefined) return { bytes: part.bytes, how: "raw" };
    throw new ServerError(
      "unsupported_media_type",
      `The form's part is of a type not read here. Send ${readableTypes}.`,
    );
  }

  /** A handler that serves gets every field. */
  private async partsOf(call: PredictCall, contentType: string, bytes: Uint8Array): Promise<PlainInput> {
    if (call.how !== "form" && !mayBeUrlEncoded(contentType, bytes[0] ?? -1)) return { bytes, how: "raw" };
    const { parts, input } = await readForm(contentType, bytes);
    call.parts = parts;
    return { bytes: input, how: "raw" };
  }

  aborted(exchange: Exchange): void {
    this.end(exchange.attachment as PredictCall | undefined);
  }

  expired(exchange: Exchange): void {
    const call = exchange.attachment as PredictCall;
    if (exchange.streaming) exchange.cut();
    else this.refuse(call, tooLate(call.route));
    this.end(call);
  }

  private end(call: PredictCall | undefined): void {
    if (call === undefined) return;
    call.over = true;
    this.context.pipeline.cancel(call);
  }

  /** Content type and model in one prebuilt block; versions are few, so are blocks. */
  block(model: string, output: OutputFormat): string {
    const blocks = this.blocks[output] ?? new Map<string, string>();
    let block = blocks.get(model);
    if (block === undefined) {
      block = blockOf(contentTypeOf[output], model);
      if (blocks.size >= 1024) blocks.clear();
      blocks.set(model, block);
    }
    return block;
  }

  failed(call: PredictCall, code: ErrorCode, message: string, cause: unknown): void {
    if (code === "internal" || cause !== undefined) {
      this.context.report("error", "a request failed", {
        model: call.route.name,
        requestId: call.exchange.requestId === "" ? undefined : call.exchange.requestId,
        code,
        error: describe(message, cause),
      });
    }
    if (call.exchange.streaming) {
      call.exchange.cut();
      return;
    }
    if (code === "model_not_found" || code === "version_not_found") {
      this.missing(call.exchange, call.route.name, call.route.version);
      return;
    }
    this.refuse(call, code === "deadline_exceeded" ? tooLate(call.route) : { code, message });
  }

  private refuse(call: PredictCall, { code, message }: Refusal): void {
    const { name, version, named } = call.route;
    const asked = { name, version: named ? version : "" };
    if (this.context.compat === "torchserve") sendAsTorchServe(call.exchange, code, message, asked);
    else sendError(call.exchange, code, message);
  }

  /** Nothing serves this name or version: say whether it is unknown, on its way or broken. */
  missing(exchange: Exchange, name: string, version: string): void {
    const { unready, pipeline } = this.context;
    const { code, message } = missingModel(name, version, unready(name), pipeline.knows(name));
    sendError(exchange, code, message);
  }

  private unsupportedType(exchange: Exchange): void {
    sendError(exchange, "unsupported_media_type", `Content type not supported here. Send one of: ${readableTypes}.`);
  }

  private notAcceptable(exchange: Exchange, types: string): void {
    sendError(exchange, "not_acceptable", `None of the types in Accept can be written. Ask for one of: ${types}.`);
  }
}

/** The query's parameters, then the fields of the form or the body. */
function withQuery(
  query: string,
  parts: readonly Part[] | undefined,
  { body, contentType }: { readonly body: Uint8Array; readonly contentType: string },
): { readonly parts: readonly Part[] | undefined } {
  if (query === "") return { parts };
  const given = [...new URLSearchParams(query)].map(([name, value]) => ({
    name,
    fileName: "",
    contentType: "",
    bytes: Buffer.from(value),
  }));
  return { parts: [...given, ...(parts ?? [{ name: "body", fileName: "", contentType, bytes: body }])] };
}

function blockOf(contentType: string, model: string): string {
  return `${contentType}\r\nx-sconce-model: ${model}`;
}

function describe(message: string, cause: unknown): string {
  if (cause === undefined) return message;
  return cause instanceof Error ? (cause.stack ?? cause.message) : JSON.stringify(cause);
}
