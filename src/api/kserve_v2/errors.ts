/** The Open Inference Protocol's error body: `{"error": "…"}` with the error table's status. */

import { type ErrorCode, errorRow } from "../../errors.js";
import type { Exchange, WireError, WireHeaders } from "../../wire.js";

/** Longest message sent to a client, in characters. */
const maxMessage = 4096;

export const json = "application/json";

export function errorBody(code: ErrorCode, message: string): WireError {
  return { status: errorRow(code).http, body: JSON.stringify({ error: message.slice(0, maxMessage) }) };
}

/** Seconds after which a refused client may try again. */
const retryAfter: WireHeaders = [["retry-after", "1"]];

/** Answers once the body was read; busy answers say when to come back. */
export function sendError(exchange: Exchange, code: ErrorCode, message: string, headers: WireHeaders = []): void {
  const { status, body } = errorBody(code, message);
  exchange.refuse(status, json, body, status === 503 ? [...headers, ...retryAfter] : headers, errorRow(code).closes);
}
