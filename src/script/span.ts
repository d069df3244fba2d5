/**
 * A request's own span: a child of what its `traceparent` says, or the first of a new trace. The door begins it, so that
 * every attempt, the handler's process and the log know the same one.
 */
import { randomUUID } from "node:crypto";
import type { Span } from "../handlers/define.js";
import { randomFlag, readTraceparent, sampledFlag, writeTraceparent } from "../telemetry/traceparent.js";

/** On its way to the handler. */
export interface WireSpan {
  readonly traceparent: string;
  readonly parent: string | undefined;
}

/** 16 random ones. Of a UUID, whose bits Node draws in stock: a tenth of what randomBytes takes. */
function digits(): string {
  const id = randomUUID();
  return id.slice(0, 4) + id.slice(-12);
}

/** `header`: the request's traceparent. */
export function beginSpan(header: string | undefined): WireSpan {
  const caller = header === undefined ? undefined : readTraceparent(header);
  const { traceId, flags } = caller ?? { traceId: digits() + digits(), flags: randomFlag };
  return { traceparent: writeTraceparent({ traceId, parentId: digits(), flags }), parent: caller?.parentId };
}

export function spanOf({ traceparent, parent }: WireSpan): Span {
  const { traceId = "", parentId = "", flags = 0 } = readTraceparent(traceparent) ?? {};
  return { traceId, spanId: parentId, parentSpanId: parent, sampled: (flags & sampledFlag) !== 0, traceparent };
}
