/** TorchServe's error body: pretty-printed `{code, type, message}` with a line break at its end. */

import { type ErrorCode, errorRow } from "../../errors.js";
import type { Exchange, WireHeaders } from "../../wire.js";

/** Longest message sent to a client, in characters. */
const maxMessage = 4096;

export const json = "application/json";

export function prettyJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

export function errorBody(code: ErrorCode, message: string): { readonly status: number; readonly body: string } {
  const row = errorRow(code);
  return {
    status: row.http,
    body: prettyJson({ code: row.http, type: row.type, message: message.slice(0, maxMessage) }),
  };
}

/** Seconds after which a refused client may try again. */
const retryAfter: WireHeaders = [["retry-after", "1"]];

/** Answers with an error of the table once the body was read; busy answers say when to come back. */
export function sendError(exchange: Exchange, code: ErrorCode, message: string, headers?: WireHeaders): void {
  const { status, body } = errorBody(code, message);
  const extra = status === 503 ? [...(headers ?? []), ...retryAfter] : headers;
  exchange.refuse(status, json, body, extra, errorRow(code).closes);
}

export const notFound = "Requested resource is not found, please refer to API document.";
export const notAllowed = "Requested method is not allowed, please refer to API document.";
export const noWorkflows = "Workflows are not served; register their models and call them one after another.";
