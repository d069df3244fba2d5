/**
 * Where in a request the pictures are. Pure.
 *
 *   picture bytes, their base64 text, or JSON: "<base64>", {"data": "<base64>"} (also "body", "b64", "image", "image_bytes",
 *   each of which may hold {"b64": …} in turn), a list of these, or {"instances": […]} as KServe's and Vertex AI's clients send it
 */

import { ServerError } from "../errors.js";
import { type Form, instancesOption } from "./answers.js";

export interface PictureLimits {
  /** Of all pictures together. */
  readonly maxBytes: number;
  readonly maxPictures: number;
}

/** The bytes of each picture, and how the answers are to stand in the response. */
export interface PicturesSent {
  readonly pictures: readonly Uint8Array[];
  readonly form: Form;
}

/** In neither of base64's alphabets, and no line break or space, which are common there. */
const notBase64 = /[^\w+/=\s-]/;

/** How base64 of a JPEG, PNG, GIF and WebP begins; no picture itself does. */
const base64Heads = ["/9j/", "iVBORw0K", "R0lGOD", "UklGR"].map((text) => Buffer.from(text));

/** Keys of an object that may hold the picture, the first of them counts. */
const pictureKeys = ["data", "body", "b64", "image", "image_bytes"] as const;
/** Objects around one picture's base64, the outermost included. */
const maxDepth = 4;

const expected = 'picture bytes, a base64 JSON string, {"data": "<base64>"}, a list of these, or {"instances": […]}';

/** Throws ServerError bad_request for what holds no picture, payload_too_large past a limit. */
export function readPictures(body: Uint8Array, limits: PictureLimits): PicturesSent {
  const first = firstText(body);
  if (first !== '"' && first !== "{" && first !== "[") {
    const isText = base64Heads.some((head) => head.every((byte, i) => body[i] === byte));
    const only = isText ? decoded(latin1(body), limits.maxBytes) : body;
    return { pictures: [only], form: "one" };
  }
  const value = parse(body);
  if (Array.isArray(value)) return { pictures: all(value, limits), form: "list" };
  const instances = isObject(value) ? value["instances"] : undefined;
  if (Array.isArray(instances)) return { pictures: all(instances, limits), form: "instances" };
  const text = base64Of(value, maxDepth);
  if (text === undefined) throw new ServerError("bad_request", `Expected ${expected}.`);
  return { pictures: [decoded(text, limits.maxBytes)], form: "one" };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()) as unknown;
  } catch (cause) {
    throw new ServerError(
      "bad_request",
      "The body looks like JSON but does not parse; send picture bytes or base64 in JSON.",
      { cause },
    );
  }
}

function all(values: readonly unknown[], { maxBytes, maxPictures }: PictureLimits): readonly Uint8Array[] {
  if (values.length === 0) throw new ServerError("bad_request", `The body holds no pictures; expected ${expected}.`);
  if (values.length > maxPictures) {
    const words = `${values.length} pictures, more than ${maxPictures}; ${instancesOption}.`;
    throw new ServerError("bad_request", words);
  }
  let left = maxBytes;
  return values.map((value, index) => {
    const text = base64Of(value, maxDepth);
    if (text === undefined) {
      throw new ServerError(
        "bad_request",
        `instance ${index}: there is no picture's base64 in it; expected ${expected}.`,
      );
    }
    const bytes = decoded(text, left, `instance ${index}: `);
    left -= bytes.length;
    return bytes;
  });
}

function decoded(text: string, maxBytes: number, place = ""): Uint8Array {
  if (notBase64.test(text)) {
    const words = "The text that should be a picture's base64 has other characters in it.";
    throw new ServerError("bad_request", `${place}${words}`);
  }
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0) throw new ServerError("bad_request", `${place}The base64 text holds no bytes.`);
  if (bytes.length > maxBytes) {
    throw new ServerError("payload_too_large", `${place}The decoded picture is over --max-request-size.`);
  }
  return bytes;
}

function firstText(body: Uint8Array): string {
  for (const byte of body.subarray(0, 16)) {
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return String.fromCharCode(byte);
  }
  return "";
}

const latin1 = (body: Uint8Array): string =>
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");

function base64Of(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") return stripDataUrl(value);
  if (!isObject(value) || depth === 0) return undefined;
  const held = pictureKeys.map((key) => value[key]).find((each) => each !== undefined && each !== null);
  return base64Of(held, depth - 1);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stripDataUrl(text: string): string {
  const comma = text.startsWith("data:") ? text.indexOf(",") : -1;
  return comma < 0 ? text : text.slice(comma + 1);
}
