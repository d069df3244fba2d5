/** One prediction between a dialect and the engine, free of any wire. Dialects keep one per exchange and reuse it. */

import type { InputFormat, OutputFormat } from "../engine/engine.js";
import type { ErrorCode } from "../errors.js";
import type { Handler } from "../handlers/handler.js";
import type { AnswerLimit, ExplainSettings } from "../types.js";
import type { CleanHead } from "./answer-head.js";
import type { PlainRequest } from "./request.js";

export { InputFormat, maxV2Json, OutputFormat, v2Input } from "../engine/engine.js";
export { type Handler, type HandlerRequest, type Part, readsBytes } from "../handlers/handler.js";

/** It answers whole requests, and no model file of the server's own is there that tensors could be for. */
export function standsAlone({ serve, spec: { script } }: Route["handler"]): boolean {
  return serve !== undefined && (script === undefined || script.alone === true);
}

/** A model as a client names it, resolved on this thread; worth keeping with the path that named it. */
export interface Route extends AnswerLimit {
  readonly name: string;
  /** "": the default version, whichever it is when the request is routed. */
  readonly version: string;
  /** Whether the client named the version. */
  readonly named: boolean;
  /** The engine's number for the name. */
  readonly nameId: number;
  readonly handler: Handler;
}

export interface Call {
  /** Unique among the calls in flight on this thread; names the call (and its gathered body) in the engine. */
  readonly cookie: number;
  readonly route: Route;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  /** Set: not the model's answer is asked for, but why it is what it is. */
  explain?: ExplainSettings | undefined;
  /** Set by the dialect when the client went away or was answered 504; asynchronous steps stop when they see it. */
  readonly over: boolean;

  /** What a handler is told of the request; `body` is a copy that becomes the handler's. Only asked for by handlers. */
  request(body: Uint8Array): PlainRequest;
  /** The engine or a handler has the cookie until `released`. */
  held(): void;
  released(): void;
  /** The answer, of the type that `output` has unless one is given: `model` is "name/version" of the version that gave it. */
  answer(model: string, body: string | ArrayBuffer | Uint8Array, output: OutputFormat, contentType?: string): void;
  /** An answer that a handler made: `model` as above. */
  reply(model: string, head: CleanHead, body: string | Uint8Array): void;
  /** Begins an answer in parts: `part` any number of times, then `end`. False: it was answered otherwise. */
  open(model: string, head: CleanHead): boolean;
  /** Never empty. False: the client has not taken all of it yet; `drained` is called when it has. */
  part(bytes: Uint8Array): boolean;
  end(): void;
  drained: (() => void) | undefined;
  /** `cause` is only logged. After `open` there is no other way to tell than to close the connection. */
  fail(code: ErrorCode, message: string, cause?: unknown): void;
}
