/**
 * Forms as TorchServe's clients send them: the model's input is the field `data` or `body`, as a part of a multipart body or
 * as a URL-encoded field. Pure but for the parser's streams.
 */

import { ServerError } from "../errors.js";
import type { Part } from "../handlers/handler.js";
import { maxParts, parseMultipart } from "./multipart.js";
import { npyFirstByte, type ReadAs, readAs } from "./negotiate.js";

/** The fields that are read, the first found wins. */
const inputFields = ["data", "body"];

/** What a model reads of a form. */
export interface FormInput {
  readonly bytes: Uint8Array;
  readonly how: ReadAs;
}

/** "data=…" and "body=…" begin with these; JSON text and .npy begin with neither. */
export function mayBeUrlEncoded(contentType: string, firstByte: number): boolean {
  return (firstByte === 0x64 || firstByte === 0x62) && /^\s*application\/x-www-form-urlencoded/i.test(contentType);
}

export function readUrlEncoded(bytes: Uint8Array): FormInput {
  const fields = fieldsOf(bytes);
  const value = inputFields.map((name) => fields.getAll(name).at(-1)).find((each) => each !== undefined);
  if (value === undefined) throw noInput([...fields.keys()]);
  return { bytes: new TextEncoder().encode(value), how: "sniff" };
}

/** Rejects with ServerError bad_request. */
export async function readMultipart(contentType: string, body: Uint8Array): Promise<FormInput> {
  const parts = await parseMultipart(contentType, body);
  const part = inputPart(parts);
  if (part === undefined) throw noInput(parts.map(({ name }) => name));
  return { bytes: part.bytes, how: howPart(part) };
}

/** Every field of a form, and the model's input among them: empty where the form has several fields and none is it. */
export async function readForm(
  contentType: string,
  body: Uint8Array,
): Promise<{ readonly parts: readonly Part[]; readonly input: Uint8Array }> {
  const multipart = /^\s*multipart\//i.test(contentType);
  const parts = multipart ? await parseMultipart(contentType, body) : urlEncodedParts(body);
  return { parts, input: inputPart(parts)?.bytes ?? new Uint8Array() };
}

function urlEncodedParts(body: Uint8Array): readonly Part[] {
  return [...fieldsOf(body)].map(([name, value]) => ({
    name,
    fileName: "",
    contentType: "",
    bytes: new TextEncoder().encode(value),
  }));
}

/** Counted before they are made: a body of 64 MiB has room for many millions. */
function fieldsOf(body: Uint8Array): URLSearchParams {
  const ampersand = 0x26;
  let count = 1;
  for (let at = body.indexOf(ampersand); at >= 0; at = body.indexOf(ampersand, at + 1)) {
    if (++count > maxParts) throw new ServerError("bad_request", `The form has more than ${maxParts} fields.`);
  }
  return new URLSearchParams(new TextDecoder().decode(body));
}

function inputPart(parts: readonly Part[]): Part | undefined {
  const named = inputFields.map((name) => parts.findLast((part) => part.name === name)).find((each) => each);
  return named ?? (parts.length === 1 ? parts[0] : undefined);
}

/** curl calls most files octets, so for those the name and the first byte speak too. */
function howPart({ contentType, fileName, bytes }: Part): ReadAs {
  const how = readAs(contentType);
  if (how !== "raw") return how;
  if (/\.json$/i.test(fileName)) return "json";
  return bytes[0] === npyFirstByte ? "npy" : "raw";
}

function noInput(names: readonly string[]): ServerError {
  const got = names.length === 0 ? "nothing" : names.slice(0, 10).map((name) => JSON.stringify(name.slice(0, 64)));
  return new ServerError("bad_request", `The form needs a field "data" or "body"; it has ${got.toString()}.`);
}
