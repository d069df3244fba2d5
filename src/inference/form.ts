/**
 * Forms as TorchServe's clients send them: the model's input is the field `data` or `body`, as a part of a multipart body or
 * as a URL-encoded field. The only importer of @fastify/busboy. Pure but for the parser's streams.
 */

import { Busboy } from "@fastify/busboy";
import { ServerError } from "../errors.js";
import type { Part } from "../handlers/handler.js";
import { npyFirstByte, type ReadAs, readAs } from "./negotiate.js";

/** Parts of one form; more is refused. */
export const maxParts = 100;
const maxNameBytes = 256;
/** What the parser is given at a time: past its limit of parts it goes on making them, a kilobyte for each boundary. */
const pieceBytes = 16_384;
/** RFC 2046, 5.1.1. */
const maxBoundary = 70;
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

/** All parts of a multipart/form-data body, in order. */
export function parseMultipart(contentType: string, body: Uint8Array): Promise<readonly Part[]> {
  const [, quoted, plain = ""] = /boundary=(?:"([^"]*)"|([^;]*))/i.exec(contentType) ?? [];
  const boundary = (quoted ?? plain).trim().length;
  return new Promise((resolve, reject) => {
    let refused = false;
    const refuse = (why: string): void => {
      refused = true;
      reject(new ServerError("bad_request", `The multipart body ${why}`));
    };
    const broken = (error: unknown): void =>
      refuse(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    if (boundary > maxBoundary) {
      refuse(`cannot be read: its boundary has ${boundary} characters; at most ${maxBoundary} are allowed.`);
      return;
    }
    try {
      const parts: (Part & { readonly chunks: Uint8Array[] })[] = [];
      const parser = new Busboy({
        headers: { "content-type": contentType },
        isPartAFile: () => true,
        limits: { parts: maxParts, fieldNameSize: maxNameBytes, headerPairs: 32 },
      });
      parser.on("file", (name, stream, fileName: string | undefined, _encoding, type) => {
        const chunks: Uint8Array[] = [];
        stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        stream.on("error", broken);
        parts.push({ name, fileName: fileName ?? "", contentType: type, bytes: new Uint8Array(), chunks });
      });
      parser.on("partsLimit", () => refuse(`has more than ${maxParts} parts.`));
      parser.on("error", broken);
      parser.on("finish", () =>
        resolve(parts.map(({ chunks, ...part }) => ({ ...part, bytes: Buffer.concat(chunks) }))),
      );
      const feed = (at: number): void => {
        if (refused) parser.destroy();
        else if (at >= body.length) parser.end();
        else parser.write(body.subarray(at, at + pieceBytes), () => feed(at + pieceBytes));
      };
      feed(0);
    } catch (error) {
      broken(error);
    }
  });
}
