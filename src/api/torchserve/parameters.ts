/**
 * Parameters of management requests: the query, or a JSON object in the body, as TorchServe takes them. Pure. Numbers
 * that are none and words that are no booleans count as not given; what is out of a limit is refused.
 */
import { ServerError } from "../../errors.js";

export type Parameters = ReadonlyMap<string, string>;

/** A JSON body wins and the query is then not read. Throws ServerError bad_request for one that is no object. */
export function readParameters(query: string, contentType: string, body: Uint8Array): Parameters {
  const isJson = /^application\/json\s*(;|$)/i.test(contentType);
  return isJson && body.byteLength > 0 ? fromJson(body) : new Map(new URLSearchParams(query));
}

function fromJson(body: Uint8Array): Parameters {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ServerError("bad_request", `The body is not JSON: ${why}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ServerError("bad_request", 'The body must be a JSON object such as {"url": "model.mar"}.');
  }
  const scalars = Object.entries(value).filter(([, each]) => ["string", "number", "boolean"].includes(typeof each));
  return new Map(scalars.map(([key, each]) => [key, String(each)]));
}

/** Undefined when it is absent, no whole number, or below `min`; over `max` is refused. */
export function wholeNumber(given: Parameters, name: string, min: number, max: number): number | undefined {
  const text = given.get(name)?.trim();
  if (text === undefined || !/^[+-]?[0-9]{1,15}$/.test(text) || Number(text) < min) return undefined;
  if (Number(text) > max) throw new ServerError("bad_request", `${name} is ${text}; it can be at most ${max}.`);
  return Number(text);
}

/** "true" in any case is true, any other word false. */
export function truth(given: Parameters, name: string, otherwise: boolean): boolean {
  const text = given.get(name);
  return text === undefined ? otherwise : text.trim().toLowerCase() === "true";
}
