/**
 * The order of one request: admit → handler.pre → engine → handler.post → answer.
 *
 *   run(call, bytes)    the body as one piece of memory (read during the call only, unless the handler has a pre step)
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
} from "../engine/engine.js";
import { nativeErrorCode, ServerError } from "../errors.js";
import type { HandlerRequest, OutputTensor, Pixels, Rows, TensorIn } from "../handlers/handler.js";
import { heatMap } from "../handlers/heat-map.js";
import type { HandlerRegistry } from "../handlers/registry.js";
import { packRows, packTensors } from "../handlers/tensor-frame.js";
import type { Call, Route } from "./call.js";
import { pngType } from "./negotiate.js";

/** As in native/core/status.h: the request was answered. */
const okCode = 0;

export class Pipeline {
  readonly channel: Channel;
  /** By cookie: what the engine works on. */
  private readonly inEngine: (Call | undefined)[] = [];
  /** By cookie: what a handler's `pre` saw and its `post` will see. */
  private readonly requests: (HandlerRequest | undefined)[] = [];
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
  }

  /** What a name and version mean on this thread; undefined when none was announced or ever served. */
  route(name: string, version: string): Route | undefined {
    const known = this.handlers.find(name, version) ?? this.handlers.find(name, "");
    const nameId = known === undefined ? -1 : this.channel.nameId(name);
    if (nameId < 0 || known === undefined) return undefined;
    // The handler that reads the body must be the one of the version that runs it, also when the default changes between.
    const routed = version === "" && !this.handlers.alike(name) ? known.version : version;
    return { name, version: routed, nameId, handler: known.handler, timeoutMs: known.responseTimeoutMs };
  }

  /** Whether any version of this name was announced. */
  knows(name: string): boolean {
    return this.handlers.find(name, "") !== undefined;
  }

  run(call: Call, body: ArrayBuffer | Uint8Array): void {
    if (call.route.handler.pre !== undefined) {
      void this.runWithPre(call, body instanceof Uint8Array ? body.slice() : new Uint8Array(body.slice(0)));
      return;
    }
    const { nameId, version, timeoutMs } = call.route;
    const { cookie, input } = call;
    if (call.explain !== undefined) this.channel.explain(cookie, call.explain);
    this.submitted(call, this.channel.infer(cookie, nameId, version, body, input, engineOutput(call), timeoutMs));
  }

  runGathered(call: Call): void {
    if (call.route.handler.pre !== undefined) {
      void this.runWithPre(call, new Uint8Array(this.channel.bodyTake(call.cookie)));
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
  }

  close(): void {
    this.closed = true;
    this.channel.close();
  }

  /** Holds the call while the hook works, so that its cookie is not given away in between. */
  private async runWithPre(call: Call, body: Uint8Array): Promise<void> {
    call.held();
    try {
      const request = call.request(body);
      this.requests[call.cookie] = request;
      const input = await call.route.handler.pre?.(request);
      if (input === undefined || call.over || this.closed) {
        this.forget(call);
        return;
      }
      this.submitted(call, this.submitMade(call, input));
    } catch (error) {
      this.raised(call, error);
      this.forget(call);
    }
  }

  /** What `pre` made. */
  private submitMade(call: Call, input: Pixels | Rows | readonly TensorIn[]): Submitted {
    const { cookie } = call;
    const { nameId, version, timeoutMs } = call.route;
    const output = engineOutput(call);
    if ("width" in input) {
      const { data, width, height, channels } = input;
      if (call.explain !== undefined) this.channel.explain(cookie, call.explain);
      return this.channel.inferImage(cookie, nameId, version, data, width, height, channels, output, timeoutMs);
    }
    const frame = "rows" in input ? packRows(input.rows) : packTensors(input);
    if (call.explain !== undefined) this.channel.explain(cookie, call.explain);
    return this.channel.infer(cookie, nameId, version, frame, InputFormat.tensors, output, timeoutMs);
  }

  private submitted(call: Call, how: number): void {
    if (how < 0) {
      call.fail(nativeErrorCode(-how), this.channel.lastError());
      this.forget(call);
      return;
    }
    this.inEngine[call.cookie] = call;
    call.held();
    if (how === INLINE && !this.flushing) {
      this.flushing = true;
      setImmediate(this.flush);
    }
  }

  private completed(
    cookie: number,
    code: number,
    model: string,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): void {
    const call = this.inEngine[cookie];
    if (call === undefined) return;
    this.inEngine[cookie] = undefined;
    if (!call.over) this.finish(call, code, model, body, tensors);
    this.forget(call);
  }

  private finish(
    call: Call,
    code: number,
    model: string,
    body: string | ArrayBuffer,
    tensors: readonly TensorOut[] | undefined,
  ): void {
    if (code !== okCode) {
      call.fail(nativeErrorCode(code), typeof body === "string" ? body : text(body));
      return;
    }
    if (call.explain !== undefined && call.output === OutputFormat.tensors) {
      void this.draw(call, model, body, tensors);
      return;
    }
    const post = call.explain === undefined ? call.route.handler.post : undefined;
    if (post === undefined) {
      call.answer(model, body, call.output);
      return;
    }
    try {
      const request = this.requests[call.cookie] ?? call.request(new Uint8Array());
      call.answer(model, post(outputsOf(body, tensors), request), OutputFormat.json);
    } catch (error) {
      this.raised(call, error);
    }
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
    call.held();
    try {
      const png = await heatMap(outputsOf(body, tensors));
      if (!call.over) call.answer(model, png, OutputFormat.tensors, pngType);
    } catch (error) {
      if (!call.over) this.raised(call, error);
    }
    call.released();
  }

  private raised(call: Call, error: unknown): void {
    if (error instanceof ServerError) call.fail(error.code, error.message, error.cause);
    else call.fail("internal", "The handler failed; the server's log has the reason.", error);
  }
}

function engineOutput(call: Call): OutputFormat {
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
