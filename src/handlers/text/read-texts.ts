/**
 * The texts of a request: TorchServe's forms and lists of them. Pure.
 *
 *   raw text, or JSON: "text", {"data": "text"} (also "body", "text"), a list of these, or {"instances": […]}
 *
 * A body that calls itself JSON has to be JSON; one that calls itself text/plain is taken as it is; any other is JSON
 * where it begins and parses like it.
 */

import { ServerError } from "../../errors.js";
import { type Form, instancesOption } from "../answers.js";

export interface Texts {
  readonly texts: readonly string[];
  readonly form: Form;
}

/** Keys of an object that may hold the text, the first of them counts. */
const textKeys = ["data", "body", "text"] as const;

const expected = 'expected text, "text", {"data": "text"}, a list of these, or {"instances": […]}';
const loneSurrogate = /\p{Surrogate}/u;
const strict = new TextDecoder("utf-8", { fatal: true });

/** Throws ServerError bad_request for what is no text, payload_too_large past a limit. */
export function readTexts(body: Uint8Array, contentType: string, maxTexts: number, maxTextSize: number): Texts {
  const whole = utf8(body);
  const parsed = parse(whole, mediaType(contentType));
  const texts = parsed === undefined ? { texts: [whole], form: "one" as const } : textsOf(parsed.value);
  if (texts.texts.length === 0) throw bad(`The body holds no texts; ${expected}`);
  if (texts.texts.length > maxTexts) {
    throw bad(`${texts.texts.length} texts, more than ${maxTexts}; ${instancesOption}`);
  }
  texts.texts.forEach((text, index) => check(text, texts.form === "one" ? "The text" : `Text ${index}`, maxTextSize));
  return texts;
}

function mediaType(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

function utf8(body: Uint8Array): string {
  try {
    return strict.decode(body);
  } catch (cause) {
    throw new ServerError("bad_request", "The body is not UTF-8 text.", { cause });
  }
}

function parse(whole: string, type: string): { readonly value: unknown } | undefined {
  const declared = type === "application/json";
  if (!declared && (type === "text/plain" || !/^\s*["[{]/u.test(whole))) return undefined;
  try {
    return { value: JSON.parse(whole) as unknown };
  } catch (cause) {
    if (!declared) return undefined; // "[sic] as it was printed"
    throw new ServerError("bad_request", `The body is not JSON; ${expected}.`, { cause });
  }
}

function textsOf(value: unknown): Texts {
  if (Array.isArray(value)) return { texts: value.map((each, i) => textOf(each, i)), form: "list" };
  const instances = isObject(value) ? value["instances"] : undefined;
  if (Array.isArray(instances)) return { texts: instances.map((each, i) => textOf(each, i)), form: "instances" };
  return { texts: [textOf(value, undefined)], form: "one" };
}

function textOf(value: unknown, index: number | undefined): string {
  if (typeof value === "string") return value;
  const held = isObject(value) ? textKeys.map((key) => value[key]).find((each) => each !== undefined) : undefined;
  if (typeof held === "string") return held;
  throw bad(`${index === undefined ? "The body" : `Text ${index}`} holds no text; ${expected}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function check(text: string, what: string, maxBytes: number): void {
  if (loneSurrogate.test(text)) throw bad(`${what} holds half of a surrogate pair, which is no character`);
  const bytes = text.length * 3 <= maxBytes ? 0 : Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new ServerError(
    "payload_too_large",
    `${what} is ${bytes} bytes of UTF-8, more than ${maxBytes} (maxTextSize).`,
  );
}

function bad(what: string): ServerError {
  return new ServerError("bad_request", `${what}.`);
}
