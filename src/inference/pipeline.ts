/**
 * The order of one request: admit → handler.pre → engine → handler.post → answer, or admit → handler.serve.
 *
 *   run(call, bytes)    the body as one piece of memory (read during the call only, or copied where a handler reads it)
 *   runGathered(call)   the body is in the channel's own memory
 *
 * Requests of models without hooks make no promise and no closure here. Those that complete inline do so at the end of
 * the event loop's turn (`flush`), together with everything else that arrived in it.
 * Thread: one pipeline and one channel per HTTP thread.
 */

import {
  type Channel,
  type CompletionSink,
  type Engine,
  INLINE,
  InputFormat,
  OutputFormat,
  type Submitted,
  type TensorOut,
  unnamed,
} from "../engine/engine.js";
import { nativeErrorCode, ServerError } from "../errors.js";
import {
  type Answer,
  type Input,
  type OutputTensor,
  type Packed,
  type Pictures,
  readsBytes,
} from "../handlers/handler.js";
import { heatMap } from "../handlers/heat-map.js";
import type { HandlerRegistry } from "../handlers/registry.js";
import { packRows, packTensors } from "../handlers/tensor-frame.js";
import type { ModelInterface } from "../types.js";
import { cleanHead } from "./answer-head.js";
import type { Call, Route } from "./call.js";
import { pngType } from "./negotiate.js";
import { withTarget } from "./explain-target.js";
import { CallReply } from "./reply.js";
import type { PlainRequest } from "./request.js";
import { Several } from "./several.js";

/** One version of a model and what others there are. */
export interface ModelAbout {
  readonly version: string;
  readonly versions: readonly string[];
  readonly about: ModelInterface;
}

/** As in native/core/status.h: the request was answered. */
const okCode = 0;

export class Pipeline {
  readonly channel: Channel;
  /** By cookie: what the engine works on. */
  private readonly inEngine: (Call | undefined)[] = [];
  /** By cookie: what a handler looks at. */
  private readonly requests: (PlainRequest | undefined)[] = [];
  /** By cookie: what a handler serves. */
  private readonly served: (CallReply | undefined)[] = [];
  private readonly several: Several;
  private flushing = false;
  private closed = false;
  private readonly sink: CompletionSink = (cookie, code, model, body, tensors) =>
    this.completed(cookie, code, model, body, tensors);
  private readonly flush = (): void => {
    this.flushing = false;
    if (!this.closed) this.channel.flush(this.sink);
  };

  private readonly handlers: HandlerRegistry;

  constructor(engine: Engine, handlers: HandlerRegistry) {
    this.handlers = handlers;
    this.channel = engine.openChannel(() => {
      if (!this.closed) this.channel.drain(this.sink);
    });
    this.several = new Several(this.channel, () => this.flushSoon());
  }

  /** What a name and version mean on this thread; undefined when none was announced or ever served. */
  route(name: string, version: string): Route | undefined {
    const known = this.handlers.find(name, version) ?? this.handlers.find(name, "");
    if (known === undefined) return undefined;
    const { handler, limit } = known;
    const nameId = this.channel.nameId(name);
    // What is served elsewhere need not be in the engine, so nobody there would refuse an unknown version.
    if (handler.serve !== undefined && version !== "" && version !== known.version) return undefined;
    if (nameId < 0 && handler.serve === undefined) return undefined;
    // The handler that reads the body must be the one of the version that runs it, also when the default changes between.
    const own = version === "" && (handler.serve !== undefined || !this.handlers.alike(name));
    const named = version !== "";
    return { name, version: own ? known.version : version, named, nameId, handler, ...limit };
  }

  /** What a version (version "": the default one) takes and gives; undefined when it was not announced. */
  about(name: string, version: string): ModelAbout | undefined {
    const known = this.handlers.find(name, version);
    if (known === undefined) return undefined;
    return { version: known.version, versions: this.handlers.versions(name), about: known.about };
  }

  /** Of a name, those that were announced. */
  versions(name: string): readonly string[] {
    return this.handlers.versions(name);
  }

  /** What is served here. */
  routed(): { readonly name: string; readonly version: string }[] {
    return this.handlers.all();
  }

  /** Whether any version of this name was announced. */
  knows(name: string): boolean {
    return this.handlers.find(name, "") !== undefined;
  }

  /** The name of the only model there is; undefined when there are more, or none. */
  onlyName(): string | undefined {
    return this.handlers.onlyName();
  }

  run(call: Call, body: ArrayBuffer | Uint8Array): void {
    if (readsBytes(call.route.handler)) {
      this.hand(call, body instanceof Uint8Array ? body.slice() : new Uint8Array(body.slice(0)));
      return;
    }
    const { nameId, version, timeoutMs } = call.route;
    const { cookie, input } = call;
    if (call.explain !== undefined) this.channel.explain(cookie, call.explain);
    this.submitted(call, this.channel.infer(cookie, nameId, version, body, input, engineOutput(call), timeoutMs));
  }

  runGathered(call: Call): void {
    if (readsBytes(call.route.handler)) {
      this.hand(call, new Uint8Array(this.channel.bodyTake(call.cookie)));
      return;
    }
    const { nameId, version, timeoutMs } = call.route;
    const { cookie, input } = call;
    if (call.explain !== undefined) this.channel.explain(cookie, call.explain);
    const how = this.channel.inferBody(cookie, nameId, version, input, engineOutput(call), timeoutMs);
    if (how < 0) this.channel.bodyDrop(cookie);
    this.submitted(call, how);
  }

  /** The client is gone or was told 504: the engine drops the request when it gets to it. */
  cancel(call: Call): void {
    if (this.inEngine[call.cookie] === call) this.channel.cancel(call.cookie);
    this.several.cancel(call);
    if (this.requests[call.cookie] === undefined) return;
    this.requests[call.cookie]?.abort();
    this.served[call.cookie]?.cancelled();
  }

  close(): void {
    this.closed = true;
    this.channel.close();
  }

  /** A handler reads the body, which is its own. */
  private hand(call: Call, body: Uint8Array): void {
    const request = call.request(body);
    request.named = call.route.named;
    this.requests[call.cookie] = request;
    if (call.route.handler.serve === undefined || call.explain !== undefined) void this.runWithPre(call, request);
    else this.serve(call, request);
  }

  private serve(call: Call, request: PlainRequest): void {
    const { name, version, handler } = call.route;
    const { cookie } = call;
    call.held();
    const reply = new CallReply(call, `${name}/${version}`, () => {
      this.served[cookie] = undefined;
      this.forget(call);
    });
    this.served[cookie] = reply;
    try {
      handler.serve?.(request, reply);
    } catch (error) {
      if (error instanceof ServerError) reply.fail(error.code, error.message, error.cause);
      else reply.fail("internal", "The handler failed; the server's log has the reason.", error);
    }
  }

  /** Holds the call while the hook works, so that its cookie is not given away in between. */
  private async runWithPre(call: Call, request: PlainRequest): Promise<void> {
    call.held();
    try {
      const input = await call.route.handler.pre?.(request);
      if (input === undefined || call.over || this.closed) {
        this.forget(call);
        return;
      }
      if ("refused" in input) {
        const { name, version } = call.route;
        this.answerMade(call, `${name}/${version}`, input.refused);
        this.forget(call);
        return;
      }
      // What else a body of the handler's own says is the handler's affair.
      if (call.explain !== undefined && !("packed" in input)) call.explain = withTarget(call.explain, request);
      if ("pictures" in input) this.submitSeveral(call, input);
      else if ("packed" in input) this.submitted(call, this.submitPacked(call, input, request.body));
      else this.submitted(call, this.submitMade(call, input));
    } catch (error) {
      if (!call.over) this.raised(call, error);
      this.forget(call);
    }
  }

  private submitSeveral(call: Call, { pictures }: Pictures): void {
    this.several.start(call, pictures, (model, outcome) => {
      if (call.over) this.forget(call);
      else if ("code" in outcome) {
        call.fail(outcome.code, outcome.message);
        this.forget(call);
      } else void this.runPost(call, model, () => outcome);
    });
  }

  /** What `pre` made. */
  private submitMade(call: Call, input: Exclude<Input, Pictures>): Submitted {
    const { cookie } = call;
    const { nameId, version, timeoutMs } = call.route;
    const output = engineOutput(call);
    if ("width" in input) {
      const { data, width, height, channels } = input;
      this.explain(call);
      return this.channel.inferImage(cookie, nameId, version, data, width, height, channels, output, timeoutMs);
    }
    const frame = "rows" in input ? packRows(input.rows) : packTensors(input);
    this.explain(call);
    return this.channel.infer(cookie, nameId, version, frame, InputFormat.tensors, output, timeoutMs);
  }

  private submitPacked(call: Call, { packed }: Packed, body: Uint8Array): Submitted {
    const { cookie, input } = call;
    const { nameId, version, timeoutMs } = call.route;
    const [bytes, format] = packed === "body" ? [body, input] : [packed, InputFormat.tensors];
    this.explain(call);
    return this.channel.infer(cookie, nameId, version, bytes, format, engineOutput(call), timeoutMs);
  }

  private explain(call: Call): void {
    const { cookie, explain } = call;
    if (explain !== undefined) this.channel.explain(cookie, shapes(call) ? { ...explain, detail: true } : explain);
  }

  private submitted(call: Call, how: number): void {
    if (how < 0) {
      call.fail(nativeErrorCode(-how), this.channel.lastError());
      this.forget(call);
      return;
    }
    this.inEngine[call.cookie] = call;
    call.held();
    if (how === INLINE) this.flushSoon();
  }

  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(this.flush);
  }

  private completed(
    cookie: number,
    code: number,
    model: string,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): void {
    if (this.several.owns(cookie)) {
      this.several.completed(cookie, code, model, () => outputsOf(body, tensors), body);
      return;
    }
    const call = this.inEngine[cookie];
    if (call === undefined) return;
    this.inEngine[cookie] = undefined;
    if (call.over) this.forget(call);
    else if (code !== okCode) {
      call.fail(nativeErrorCode(code), typeof body === "string" ? body : text(body));
      this.forget(call);
    } else if (call.explain !== undefined && call.output === OutputFormat.tensors) {
      void this.draw(call, model, body, tensors);
    } else if (call.route.handler.post === undefined || (call.explain !== undefined && !shapes(call))) {
      call.answer(model, body, call.output);
      call.released();
    } else void this.runPost(call, model, () => outputsOf(body, tensors));
  }

  /** A hook that answers at once does so in this turn. */
  private async runPost(call: Call, model: string, outputs: () => readonly OutputTensor[]): Promise<void> {
    try {
      const request = this.requests[call.cookie] ?? call.request(new Uint8Array());
      const { post, explained } = call.route.handler;
      const made = (call.explain === undefined ? post : explained)?.(outputs(), request);
      const answer = made instanceof Promise ? await made : made;
      if (answer !== undefined && !call.over && !this.closed) this.answerMade(call, model, answer);
    } catch (error) {
      if (!call.over) this.raised(call, error);
    }
    this.forget(call);
  }

  private answerMade(call: Call, model: string, answer: string | Answer): void {
    if (typeof answer === "string") call.answer(model, answer, OutputFormat.json);
    else call.reply(model, cleanHead(answer, typeof answer.body === "string"), answer.body);
  }

  private forget(call: Call): void {
    this.requests[call.cookie] = undefined;
    call.released();
  }

  /** An explanation as a heat map. */
  private async draw(
    call: Call,
    model: string,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): Promise<void> {
    try {
      const png = await heatMap(outputsOf(body, tensors));
      if (!call.over) call.answer(model, png, OutputFormat.tensors, pngType);
    } catch (error) {
      if (!call.over) this.raised(call, error);
    }
    this.forget(call);
  }

  private raised(call: Call, error: unknown): void {
    if (error instanceof ServerError) call.fail(error.code, error.message, error.cause);
    else call.fail("internal", "The handler failed; the server's log has the reason.", error);
  }
}

/** Whether the handler writes an explanation in its own way. */
function shapes({ explain, output, route }: Call): boolean {
  return explain?.detail === false && output === OutputFormat.json && route.handler.explained !== undefined;
}

function engineOutput(call: Call): OutputFormat {
  const output = formatOfAnswer(call);
  return call.route.named ? output : unnamed(output);
}

function formatOfAnswer(call: Call): OutputFormat {
  if (shapes(call)) return OutputFormat.tensors;
  return call.route.handler.post === undefined || call.explain !== undefined ? call.output : OutputFormat.tensors;
}

function outputsOf(body: string | ArrayBuffer, tensors: readonly TensorOut[] | undefined): OutputTensor[] {
  if (typeof body === "string" || tensors === undefined) {
    throw new ServerError("internal", "The engine gave no tensors to a handler that asked for them.");
  }
  return tensors.map(({ dtype, shape, offset, bytes }) => ({
    dtype,
    shape,
    data: new Uint8Array(body, offset, bytes),
  }));
}

function text(bytes: ArrayBuffer): string {
  return Buffer.from(bytes).toString();
}
