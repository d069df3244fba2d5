/** What was thrown on one side of a handler's process, as data, and as an error again on the other. Pure. */
import { ServerError } from "../errors.js";
import { HandlerError } from "../handlers/define.js";
import type { MadeError } from "./child-messages.js";
import { isHandlerError } from "./convert.js";
import { words } from "./told.js";

export function madeError(error: unknown): MadeError {
  if (isHandlerError(error)) return { status: error.status, words: error.message };
  if (error instanceof ServerError) return { code: error.code, words: error.message };
  return { words: words(error) };
}

export function errorFrom(made: MadeError): Error {
  if (made.status !== undefined) return new HandlerError(made.status, made.words);
  if (made.code !== undefined) return new ServerError(made.code, made.words);
  const plain = new Error(made.words.split("\n")[0]);
  plain.stack = made.words;
  return plain;
}
