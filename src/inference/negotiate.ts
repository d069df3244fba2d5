/**
 * Which format a body is read as and an answer is written in, from Content-Type and Accept. Pure, with a bounded memory
 * of headers seen (clients send the same few). Grammar: RFC 9110 §8.3 and §12.5.1.
 */

import { InputFormat, OutputFormat } from "../engine/engine.js";

/** How a content type is read. `sniff`: JSON, unless the first byte says .npy. `form`: what its field says. */
export type ReadAs = "json" | "raw" | "npy" | "sniff" | "form" | "unsupported";

export const readableTypes =
  "application/json, application/octet-stream, application/x-npy, text/plain, multipart/form-data";
export const writableTypes = "application/json, application/octet-stream, application/x-npy";

export const pngType = "image/png";

/** First byte of "\x93NUMPY"; no JSON text starts with it. */
export const npyFirstByte = 0x93;

export const contentTypeOf: Readonly<Record<OutputFormat, string>> = {
  [OutputFormat.json]: "application/json",
  [OutputFormat.npy]: "application/x-npy",
  [OutputFormat.raw]: "application/octet-stream",
  [OutputFormat.tensors]: "application/octet-stream",
  [OutputFormat.v2]: "application/json",
};

/** `contentType` as sent, parameters and all; "" when absent. */
export function readAs(contentType: string): ReadAs {
  if (contentType === "application/json") return "json";
  const end = contentType.indexOf(";");
  const plain = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  switch (plain) {
    case "":
    case "text/plain":
    case "application/x-www-form-urlencoded":
      return "sniff";
    case "application/json":
      return "json";
    case "application/octet-stream":
      return "raw";
    case "application/x-npy":
      return "npy";
    case "multipart/form-data":
      return "form";
    default:
      return "unsupported";
  }
}

export function inputFormat(how: Exclude<ReadAs, "unsupported" | "form">, firstByte: number): InputFormat {
  if (how === "raw") return InputFormat.raw;
  return how === "npy" || (how === "sniff" && firstByte === npyFirstByte) ? InputFormat.npy : InputFormat.json;
}

/** The format asked for, or undefined when none of those listed can be written. Of equal weights the first listed wins. */
export function parseAccept(accept: string): OutputFormat | undefined {
  if (accept === "" || accept === "*/*" || accept === "application/json") return OutputFormat.json;
  let best: OutputFormat | undefined;
  let bestWeight = 0;
  const refused = refusedFormats(accept);
  for (const item of accept.split(",")) {
    const { range, weight } = mediaRange(item);
    const format = formatOf(range, refused);
    if (format === undefined || weight <= bestWeight) continue;
    best = format;
    bestWeight = weight;
  }
  return best;
}

/** Whether a picture is named, and nothing is asked for more. For answers that can be drawn. */
export function prefersPng(accept: string): boolean {
  if (!/image\//i.test(accept)) return false;
  let png = 0;
  let other = 0;
  for (const item of accept.split(",")) {
    const { range, weight } = mediaRange(item);
    if (range === pngType || range === "image/*") png = Math.max(png, weight);
    else if (exact.has(range)) other = Math.max(other, weight);
  }
  return png > 0 && png >= other;
}

/** Formats named with q=0: a wildcard beside them must not bring them back. */
function refusedFormats(accept: string): ReadonlySet<OutputFormat> {
  const refused = new Set<OutputFormat>();
  for (const item of accept.split(",")) {
    const { range, weight } = mediaRange(item);
    const format = exact.get(range);
    if (weight === 0 && format !== undefined) refused.add(format);
  }
  return refused;
}

const exact: ReadonlyMap<string, OutputFormat> = new Map<string, OutputFormat>([
  ["application/json", OutputFormat.json],
  ["application/x-npy", OutputFormat.npy],
  ["application/octet-stream", OutputFormat.raw],
]);

function formatOf(range: string, refused: ReadonlySet<OutputFormat>): OutputFormat | undefined {
  if (range !== "*/*" && range !== "application/*") return exact.get(range);
  return [...exact.values()].find((format) => !refused.has(format));
}

function mediaRange(item: string): { readonly range: string; readonly weight: number } {
  const [range = "", ...parameters] = item.split(";");
  const q = parameters.map((each) => each.trim().toLowerCase()).find((each) => each.startsWith("q="));
  return { range: range.trim().toLowerCase(), weight: q === undefined ? 1 : weightOf(q.slice(2)) };
}

/** RFC 9110 §12.4.2; a weight that is none counts as 0. */
function weightOf(text: string): number {
  return /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}

/** Remembers results by header text; forgets everything when full, so that clients cannot make it grow. */
export class Memo<Value> {
  private readonly seen = new Map<string, Value>();
  private readonly make: (key: string) => Value;
  private readonly capacity: number;
  private readonly longestKey: number;
  /** What was asked for last: comparing with it is cheaper than hashing a string that just came from the wire. */
  private lastKey: string | undefined;
  private lastValue: Value | undefined;

  constructor(make: (key: string) => Value, capacity = 256, longestKey = 256) {
    this.make = make;
    this.capacity = capacity;
    this.longestKey = longestKey;
  }

  get(key: string): Value {
    if (key === this.lastKey) return this.lastValue as Value;
    const value = this.seen.get(key) ?? this.add(key);
    if (key.length > this.longestKey) return value;
    this.lastKey = key;
    this.lastValue = value;
    return value;
  }
  clear(): void {
    this.seen.clear();
    this.lastKey = undefined;
    this.lastValue = undefined;
  }

  private add(key: string): Value {
    const value = this.make(key);
    if (key.length > this.longestKey) return value;
    if (this.seen.size >= this.capacity) this.seen.clear();
    this.seen.set(key, value);
    return value;
  }
}
