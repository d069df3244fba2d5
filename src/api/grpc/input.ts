/** The `input` map of a prediction → the bytes that the engine reads, as a REST client would have sent them. Pure. */

import { ServerError } from "../../errors.js";
import type { Part } from "../../inference/call.js";
import { npyFirstByte } from "../../inference/negotiate.js";

/** TorchServe's names for "the whole input". */
const whole = ["data", "body"] as const;
/** Marks of sequence batching that its clients put among the inputs. */
const marks: ReadonlySet<string> = new Set(["ts_request_sequence_start", "ts_request_sequence_end"]);

/**
 * `data` (else `body`) alone is the body. Anything else is the model's inputs by name, each as JSON, and becomes one
 * JSON object. A handler that reads bytes itself (`raw`) takes a lone entry of any name. Throws bad_request.
 */
export function bodyOf(input: Readonly<Record<string, Uint8Array>>, raw: boolean): Uint8Array {
  const names = Object.keys(input).filter((name) => !marks.has(name));
  const first = names[0];
  if (first === undefined) throw bad('The request has no input: put its bytes under "data".');
  const lone = whole.find((name) => names.includes(name));
  if (lone !== undefined && names.every((name) => name === "data" || name === "body")) return entry(input, lone);
  if (!raw) return asObject(input, names);
  if (lone !== undefined) return entry(input, lone);
  if (names.length === 1) return entry(input, first);
  throw bad(`This model reads one input, "data"; got ${names.slice(0, 8).join(", ")}.`);
}

/** The same for a handler that serves: it gets every entry, so that several need not be one. */
export function servedBody(input: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const names = Object.keys(input).filter((name) => !marks.has(name));
  const name = whole.find((each) => names.includes(each)) ?? (names.length === 1 ? names[0] : undefined);
  return name === undefined ? new Uint8Array() : entry(input, name);
}

export function partsOf(input: Readonly<Record<string, Uint8Array>>): readonly Part[] {
  return Object.entries(input).map(([name, bytes]) => ({ name, fileName: "", contentType: "", bytes }));
}

function asObject(input: Readonly<Record<string, Uint8Array>>, names: readonly string[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  names.forEach((name, index) => {
    const value = entry(input, name);
    if (value.length === 0) throw bad(`The input ${JSON.stringify(name)} is empty.`);
    if (value[0] === npyFirstByte) {
      throw bad(`The input ${JSON.stringify(name)} is .npy: inputs by name are JSON each, .npy goes alone as "data".`);
    }
    pieces.push(Buffer.from(`${index === 0 ? "{" : ","}${JSON.stringify(name)}:`), value);
  });
  pieces.push(Buffer.from("}"));
  return Buffer.concat(pieces);
}

function entry(input: Readonly<Record<string, Uint8Array>>, name: string): Uint8Array {
  return input[name] ?? new Uint8Array();
}

function bad(message: string): ServerError {
  return new ServerError("bad_request", message);
}
