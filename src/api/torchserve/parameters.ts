/**
 * Parameters of management requests: the query, or a JSON object in the body, as TorchServe takes them. Pure. Numbers
 * that are none and words that are no booleans count as not given; what is out of a limit is refused.
 */
import { ServerError } from "../../errors.js";

const names: ReadonlySet<string> = new Set([
  ...["url", "model_name", "runtime", "handler", "batch_size", "max_batch_delay", "initial_workers", "max_worker"],
  ...["min_worker", "synchronous", "response_timeout", "startup_timeout", "model_version", "force"],
]);

/** Bytes of a JSON body. */
const maxJsonBytes = 1 << 20;

export type Parameters = ReadonlyMap<string, string>;

/** A JSON body wins and the query is then not read. Throws ServerError bad_request for one that is no object. */
export function readParameters(query: string, contentType: string, body: Uint8Array): Parameters {
  const isJson = /^application\/json\s*(;|$)/i.test(contentType);
  return isJson && body.byteLength > 0 ? fromJson(body) : firstOfEach(new URLSearchParams(query));
}

/** Of a parameter that is given twice TorchServe takes the first. */
function firstOfEach(query: URLSearchParams): Parameters {
  return new Map([...query].reverse());
}

function fromJson(body: Uint8Array): Parameters {
  if (body.byteLength > maxJsonBytes) {
    throw new ServerError(
      "payload_too_large",
      `The body has ${body.byteLength} bytes; at most ${maxJsonBytes} are read.`,
    );
  }
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
  // What no request knows is passed over, as TorchServe does, whatever it is.
  const given = Object.entries(value).filter(([key, each]) => each !== null && names.has(key));
  return new Map(given.map(([key, each]) => [key, scalar(key, each)]));
}

function scalar(key: string, value: unknown): string {
  const isNumber = typeof value === "number";
  if (isNumber ? Number.isSafeInteger(value) : ["string", "boolean"].includes(typeof value)) return String(value);
  const name = JSON.stringify(key.slice(0, 64));
  const what = isNumber ? String(value) : Array.isArray(value) ? "a list" : "an object";
  throw new ServerError("bad_request", `${name} is ${what}; expected a text, a whole number, true or false.`);
}

/** Undefined when it is absent, no whole number, or below `min`; over `max` is refused. */
export function wholeNumber(given: Parameters, name: string, min: number, max: number): number | undefined {
  const text = given.get(name)?.trim();
  if (text === undefined || !/^[+-]?[0-9]+$/.test(text) || Number(text) < min) return undefined;
  if (Number(text) > max) {
    throw new ServerError("bad_request", `${name} is ${text.slice(0, 32)}; it can be at most ${max}.`);
  }
  return Number(text);
}

/** "true" in any case is true, any other word false. */
export function truth(given: Parameters, name: string, otherwise: boolean): boolean {
  const text = given.get(name);
  return text === undefined ? otherwise : text.trim().toLowerCase() === "true";
}
