/** One prediction between a dialect and the engine, free of any wire. Dialects keep one per exchange and reuse it. */

import type { InputFormat, OutputFormat } from "../engine/engine.js";
import type { ErrorCode } from "../errors.js";
import type { Handler } from "../handlers/handler.js";

export interface Call {
  /** Unique among the calls in flight on this thread; names the call (and its gathered body) in the engine. */
  readonly cookie: number;
  readonly nameId: number;
  readonly model: string;
  /** "": the default version. */
  readonly version: string;
  readonly handler: Handler;
  readonly input: InputFormat;
  readonly output: OutputFormat;
  readonly timeoutMs: number;
  /** Set by the dialect when the client went away or was answered 504; asynchronous steps stop when they see it. */
  readonly over: boolean;

  /** The engine has the cookie until `released`. */
  held(): void;
  released(): void;
  /** The answer: `model` is "name/version"; `text` is true when a handler made JSON of it. */
  answer(model: string, body: string | ArrayBuffer, output: OutputFormat): void;
  fail(code: ErrorCode, message: string, cause?: unknown): void;
}
