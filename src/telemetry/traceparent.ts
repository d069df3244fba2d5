/**
 * The header `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/): `00-TRACE-PARENT-FLAGS` in lower-case
 * hexadecimal digits. Pure.
 */

export interface Traceparent {
  readonly traceId: string;
  readonly parentId: string;
  /** As this version of the format knows them: `sampledFlag` and `randomFlag`. */
  readonly flags: number;
}

export const sampledFlag = 1;
/** The trace's id is random, so that a sampler may look at its digits. */
export const randomFlag = 2;

const format = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const longest = 512;

/** Undefined for what is none: a new trace begins then. A later version's may be longer. */
export function readTraceparent(text: string): Traceparent | undefined {
  const found = text.length <= longest ? format.exec(text) : null;
  if (found === null) return undefined;
  const [, version = "", traceId = "", parentId = "", flags = "", more] = found;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, flags: parseInt(flags, 16) & (sampledFlag | randomFlag) };
}

export function writeTraceparent({ traceId, parentId, flags }: Traceparent): string {
  return `00-${traceId}-${parentId}-0${flags}`;
}
